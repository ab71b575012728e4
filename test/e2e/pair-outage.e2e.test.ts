import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clock, type RunningFleet, startFleet } from '../../src/simulator/run-simulation.ts';
import { TARGET } from '../../src/simulator/wire.ts';
import { createCleanup } from '../support/cleanup.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import {
  adaptConfig,
  aimConfig,
  type PrometheusServer,
  runPrometheus,
  SHIPPED_CONFIG,
  valuesByLabels,
  withPair,
} from '../support/prometheus-server.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { until } from '../support/until.ts';
import { panelQueries } from '../unit/grafana/dashboards.ts';
import { DEFAULT_VALUES, substitute } from '../unit/grafana/grafana-variables.ts';

/**
 * Three exporters on one Redis: one that a Prometheus of its own scrapes, and a pair that another one
 * scrapes as the comment in `prometheus.yml` shows. One of the pair is killed for a minute of traffic.
 * Both must show the same in every panel, before and meanwhile.
 */
const IS_LONG = process.env['LONG'] === '1';
/** Of traffic before and meanwhile. */
const PHASE_SECONDS = 60;
/** What the two may differ by, as a share; and what one scrape, each second, makes of a rate. */
const TOLERANCE = 0.01 + 1 / PHASE_SECONDS;
const FLEET = {
  seed: 3,
  servers: 2,
  flavours: ['4.17.1'],
  // So many that hardly anybody calls again within a second, which is one session or two by chance.
  users: 3000,
  arrivalRate: 15,
  callLengthSeconds: 10,
  bitrate: 8_000_000,
  peerToPeerShare: 0.4,
  noiseRate: 2,
} as const;
const NOT_COMPARED: readonly string[] = [
  // A user's bytes come in steps of many seconds: whether a scrape saw the first one is half of it.
  'Bandwidth of the top users',
];
const PANELS = panelQueries()
  .filter(({ kind }) => kind === 'prometheus')
  // What is about each process by itself shows both of them.
  .filter(({ panel }) => !JSON.stringify(panel).includes('{{replica}}'))
  // What is recorded over five minutes and more is about a time before there was anything.
  .filter(({ panel, expr }) => !NOT_COMPARED.includes(panel.title) && !expr.includes(':coturn_'));

/** Lets simulated time stand still, so that everybody can be asked about the same moment. */
class StoppableClock implements Clock {
  #stoppedMs = 0;
  #standing: Promise<void> = Promise.resolve();

  nowMs(): number {
    return performance.now() - this.#stoppedMs;
  }

  async wait(ms: number): Promise<void> {
    await sleep(ms);
    await this.#standing;
  }

  /** Gives what lets time pass again. */
  stop(): () => void {
    const fromMs = performance.now();
    let resume: () => void = () => undefined;
    this.#standing = new Promise((resolve) => {
      resume = resolve;
    });
    return () => {
      this.#stoppedMs += performance.now() - fromMs;
      resume();
    };
  }
}

/** Several scrapes, and the linger after which a session is over. */
const SETTLED_MS = 4_000;

const cleanup = createCleanup();
const clock = new StoppableClock();
let fleet: RunningFleet;
let resume: () => void = () => undefined;
let single: { readonly exporter: ExporterProcess; readonly prometheus: PrometheusServer };
let pair: {
  readonly a: ExporterProcess;
  readonly b: ExporterProcess;
  readonly prometheus: PrometheusServer;
};

afterAll(() => cleanup.run());

/** Two minutes and more: `npm run test:long`. */
describe.skipIf(!IS_LONG)('a pair of exporters in one of which there is a hole', () => {
  beforeAll(start, 120_000);

  it('shows in every panel what a single exporter shows', async () => {
    expect(PANELS.length).toBeGreaterThan(60);
    // What both see first is the same, too.
    const began = await passTime(2);
    const before = await passTime(PHASE_SECONDS);
    await untilAlike(began);

    pair.b.process.kill('SIGKILL');
    await pair.b.process.exited;
    await passTime(PHASE_SECONDS);
    await untilAlike(before);
  }, 300_000);
});

async function start(): Promise<void> {
  const { port } = await startRedisServer(cleanup.defer);
  const redis = `redis://127.0.0.1:${port}/0`;
  const [alone, a, b] = await Promise.all([startOn(redis), startOn(redis), startOn(redis)]);
  const shipped = readFileSync(SHIPPED_CONFIG, 'utf8');
  const configs = [
    aimConfig(shipped, addressOf(alone)),
    adaptConfig(withPair(shipped, [addressOf(a), addressOf(b)])),
  ];
  const [one, two] = await Promise.all(
    configs.map((config) =>
      runPrometheus(cleanup.defer, { config: config.replaceAll('500ms', '1s') }),
    ),
  );
  if (one === undefined || two === undefined) throw new Error('No Prometheus');
  single = { exporter: alone, prometheus: one };
  pair = { a, b, prometheus: two };
  const target = TARGET.parse(redis);
  if (!target.ok) throw new Error(`Not a target: ${redis}`);
  const pace = { speed: 1, durationMs: 0, noFinish: true };
  fleet = await startFleet({ target: target.value, options: FLEET, pace, clock });
  cleanup.defer(async () => {
    resume();
    await fleet.stop();
  });
}

/**
 * Lets the fleet publish for some seconds, and then stand still until both have scraped what is.
 *
 * @returns the Unix time since when nothing changes
 */
async function passTime(seconds: number): Promise<number> {
  resume();
  await sleep(seconds * 1000);
  resume = clock.stop();
  await sleep(SETTLED_MS);
  return Date.now() / 1000;
}

/** Every panel shows the same for the time from a standstill until now, as soon as all were scraped. */
async function untilAlike(fromSeconds: number): Promise<void> {
  await until(() => differences(fromSeconds), {
    what: 'every panel to show the same',
    timeoutMs: 30_000,
    isDone: (found) => found.length === 0,
    show: (found) => found.join('\n'),
  });
}

async function differences(fromSeconds: number): Promise<string[]> {
  const nowSeconds = Date.now() / 1000;
  const window = `${Math.round(nowSeconds - fromSeconds)}s`;
  const values = { ...DEFAULT_VALUES, __rate_interval: window, __range: window };
  const found = await Promise.all(
    PANELS.map(async ({ where, expr }) => {
      const query = substitute(expr, values);
      const [expected, other] = await Promise.all(
        [single, pair].map(async ({ prometheus }) =>
          valuesByLabels(await prometheus.query(query, nowSeconds)),
        ),
      );
      return compare(expected ?? new Map(), other ?? new Map()).map((what) => `${where}: ${what}`);
    }),
  );
  return found.flat();
}

function compare(expected: ReadonlyMap<string, number>, found: ReadonlyMap<string, number>) {
  return [...new Set([...expected.keys(), ...found.keys()])].flatMap((labels) => {
    const [one, other] = [expected.get(labels), found.get(labels)];
    if (one === undefined || other === undefined) return [`${labels}: ${one} and ${other}`];
    const isSame = Object.is(one, other) || Math.abs(other - one) <= Math.abs(one) * TOLERANCE;
    return isSame ? [] : [`${labels}: ${one} and ${other}`];
  });
}

function startOn(url: string): Promise<ExporterProcess> {
  return startExporter(cleanup.defer, { args: ['--redis.url', `${url}#redis`] });
}

function addressOf({ address }: ExporterProcess): string {
  return address.replace('http://', '');
}
