import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SourceStats } from '../src/domain/source-stats.ts';
import { Tracker } from '../src/domain/tracker.ts';
import type { Shard } from '../src/domain/user.ts';
import { createCommandReader } from '../src/sources/resp/commands.ts';
import { COMMAND_LIMITS } from '../src/sources/resp/limits.ts';
import { freePort, Measured, ROUNDS, type Row } from './measure.ts';
import { allocationKey, command, delta, newStatus, Publisher } from './stream.ts';

const EVENTS = 300_000;
const MILLION = 1_000_000;

/** What reading and accounting of a delta take in a tracker that holds so many allocations. */
function deltaCost(users: number, shard?: Shard): () => number {
  const tracker = new Tracker({
    groupBy: 'user',
    lingerMs: 5000,
    userName: (username) => username.slice(username.indexOf(':') + 1),
    newSessionId: () => '',
    maxUsers: users,
    maxRealms: 1000,
    ...(shard === undefined ? {} : { shard }),
  });
  const origin = tracker.openOrigin(new SourceStats('bench', 'status'), 'bench');
  const reader = createCommandReader(
    {
      messageInPlace: (message) => tracker.receiveDelta(origin, message, 2000),
      message: (key, payload) => tracker.receive(origin, key, payload, 1000),
      command: () => undefined,
    },
    COMMAND_LIMITS,
  );
  for (let user = 0; user < users; user += 1) {
    const status = { key: `${allocationKey(user)}/status`, payload: newStatus(user) };
    reader.push(Buffer.from(command(status)));
  }
  const deltas = Buffer.from(
    Array.from({ length: EVENTS }, (_, number) => command(delta(number, users))).join(''),
  );
  return () => {
    const before = process.cpuUsage();
    for (let at = 0; at < deltas.length; at += 65_536)
      reader.push(deltas.subarray(at, at + 65_536));
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / EVENTS;
  };
}

/** A delta at a million live allocations against one at a thousand, and what shards cost. */
export function benchEvents(): Row[] {
  const thousand = deltaCost(1_000);
  const million = deltaCost(MILLION);
  const all = deltaCost(5_000);
  const third = deltaCost(5_000, { index: 0, total: 3 });
  const rounds = Array.from({ length: ROUNDS }, () => ({
    thousand: thousand(),
    million: million(),
    all: all(),
    third: third(),
  }));
  const of = (name: 'thousand' | 'million' | 'all' | 'third'): number[] =>
    rounds.map((round) => round[name]);
  return [
    {
      what: 'event at 1,000,000 live, cpu',
      unit: 'ns',
      ours: of('million'),
      peer: { name: 'at 1,000', values: of('thousand') },
      // No more than 1.4 times as much.
      target: { ratio: true, floor: 1 / 1.4, aim: 1 / 1.2 },
    },
    {
      what: 'event in one of three shards, cpu',
      unit: 'ns',
      ours: of('third'),
      peer: { name: 'without shards', values: of('all') },
    },
  ];
}

/** A stop with a million live sessions, and the start after it. */
export async function benchState(): Promise<Row[]> {
  const [saves, restores, stalls]: [number[], number[], number[]] = [[], [], []];
  const folder = mkdtempSync(join(tmpdir(), 'coturn-exporter-bench-'));
  for (let round = 0; round < ROUNDS; round += 1) {
    const port = await freePort();
    const flags = [
      `--statsdb.listen-address=127.0.0.1:${port}`,
      `--state.file=${join(folder, String(round))}`,
      '--state.interval=1h',
    ];
    const exporter = await Measured.watchedExporter(...flags);
    const publisher = await Publisher.connect(port);
    await publisher.begin(MILLION);
    publisher.close();
    const stopping = performance.now();
    await exporter.stop('SIGTERM');
    saves.push((performance.now() - stopping) / 1000);
    const starting = performance.now();
    const restored = await Measured.watchedExporter(...flags);
    restores.push((performance.now() - starting) / 1000);
    stalls.push(await restored.stall());
    await restored.stop();
  }
  rmSync(folder, { recursive: true });
  const together = saves.map((save, round) => save + (restores[round] ?? Number.NaN));
  return [
    {
      what: 'state of 1,000,000 sessions, save and restore',
      unit: 's',
      ours: together,
      target: { floor: 8, aim: 4 },
    },
    { what: 'save of it, with the stop', unit: 's', ours: saves },
    { what: 'restore of it, with the start', unit: 's', ours: restores },
    { what: 'longest stall of the restore', unit: 'ms', ours: stalls },
  ];
}
