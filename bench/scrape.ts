import { get } from 'node:http';
import { freePort, Measured, ROUNDS, type Row } from './measure.ts';
import { Publisher } from './stream.ts';

const USERS = 100_000;
/** Users who were heard of between two scrapes of which little has changed. */
const FEW = 100;
/** While the longest stall is measured, a second. */
const EVENTS = 10_000;

/** 100,000 users over HTTP, against an exporter on prom-client that has the same five series of each. */
export async function benchScrape(): Promise<Row[]> {
  const seen = new Map<string, number[]>();
  const note = (name: string, value: number): void => {
    seen.set(name, [...(seen.get(name) ?? []), value]);
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    await scrapeOurs(note);
    await scrapePeer(note);
  }
  const of = (name: string): number[] => seen.get(name) ?? [];
  const row = (what: string, unit: string, peer?: string, target?: Row['target']): Row => ({
    what,
    unit,
    ours: of(what),
    ...(peer === undefined ? {} : { peer: { name: peer, values: of(`${what} peer`) } }),
    ...(target === undefined ? {} : { target }),
  });
  const name = 'ioredis and prom-client';
  return [
    row('scrape with gzip, wall', 'ms', name, { floor: 250, aim: 167 }),
    row('scrape with gzip, cpu', 'ms', name),
    row('scrape in plain text, wall', 'ms', name),
    row('scrape in plain text, cpu', 'ms', name),
    {
      ...row('second scrape with gzip, wall', 'ms'),
      peer: { name: 'the first', values: of('scrape with gzip, wall') },
      target: { ratio: true, floor: 3, aim: 10 },
    },
    {
      ...row('second scrape with gzip, cpu', 'ms'),
      peer: { name: 'the first', values: of('scrape with gzip, cpu') },
    },
    row('longest stall, events flowing', 'ms', undefined, { floor: 8, aim: 5 }),
    row('RSS of a live user', 'bytes', name, { floor: 1024, aim: 800 }),
    row('RSS of a live user after scrapes', 'bytes', name),
  ];
}

type Note = (name: string, value: number) => void;

async function scrapeOurs(note: Note): Promise<void> {
  const port = await freePort();
  const exporter = await Measured.watchedExporter(`--statsdb.listen-address=127.0.0.1:${port}`);
  const url = await exporter.url();
  const publisher = await Publisher.connect(port);
  const before = exporter.rss;
  await publisher.begin(USERS);
  await publisher.report(2 * USERS, USERS);
  note('RSS of a live user', (exporter.rss - before) / USERS);
  // The first scrape of a process is that of a program that is not compiled yet.
  await scrape(url, 'gzip');
  const everybody = (): Promise<void> => publisher.report(2 * USERS, USERS);
  for (const [name, encoding, change] of [
    ['scrape with gzip', 'gzip', everybody],
    ['second scrape with gzip', 'gzip', () => publisher.report(2 * FEW, FEW)],
    ['scrape in plain text', 'identity', everybody],
  ] as const) {
    await change();
    const { cpu, wall } = await exporter.cost(() => scrape(url, encoding));
    note(`${name}, cpu`, cpu);
    note(`${name}, wall`, wall);
  }
  note('RSS of a live user after scrapes', (exporter.rss - before) / USERS);
  await everybody();
  await exporter.stall();
  let isOver = false;
  const flow = (async () => {
    while (!isOver) {
      await publisher.report(EVENTS / 100, USERS);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  await scrape(url, 'gzip');
  note('longest stall, events flowing', await exporter.stall());
  isOver = true;
  await flow;
  publisher.close();
  await exporter.stop();
}

async function scrapePeer(note: Note): Promise<void> {
  const port = await freePort();
  const redis = await Measured.redis(port);
  const peer = await Measured.peer('afternoon', port);
  const url = await peer.url();
  const publisher = await Publisher.connect(port);
  const before = peer.rss;
  await publisher.begin(USERS);
  await publisher.report(2 * USERS, USERS);
  await peer.idle();
  note('RSS of a live user peer', (peer.rss - before) / USERS);
  for (const [name, encoding] of [
    ['scrape with gzip', 'gzip'],
    ['scrape in plain text', 'identity'],
  ] as const) {
    const { cpu, wall } = await peer.cost(() => scrape(url, encoding));
    note(`${name}, cpu peer`, cpu);
    note(`${name}, wall peer`, wall);
  }
  note('RSS of a live user after scrapes peer', (peer.rss - before) / USERS);
  publisher.close();
  await peer.stop();
  await redis.stop();
}

/** Seconds from the start of a process to its first answer. */
export async function benchStart(): Promise<Row[]> {
  const ours: number[] = [];
  for (let round = 0; round < 2 * ROUNDS; round += 1) {
    const begin = performance.now();
    const exporter = await Measured.exporter('--statsdb.listen-address=127.0.0.1:0');
    await scrape(await exporter.url(), 'gzip');
    ours.push((performance.now() - begin) / 1000);
    await exporter.stop();
  }
  return [{ what: 'start to first answer', unit: 's', ours, target: { floor: 0.25, aim: 0.15 } }];
}

/** Reads an answer to its end and keeps nothing of it. */
export async function scrape(url: string, encoding: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const headers = { 'accept-encoding': encoding };
    get(url, { headers, agent: false }, (answer) => {
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      answer.on('end', () => (bytes > 1_000 ? resolve() : reject(new Error('No metrics'))));
    }).on('error', reject);
  });
}
