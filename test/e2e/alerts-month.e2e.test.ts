import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { type PrometheusServer, startPrometheusServer } from '../support/prometheus-server.ts';
import { runPromtool } from '../support/promtool.ts';
import { createRandom, poisson, sessionsByMinute } from '../support/session-process.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { RULE_FILES, rulesOf } from '../unit/deploy/rule-files.ts';

/**
 * A month of quiet and busy realms, in which all is well but for one realm that dies, as a real
 * Prometheus sees it: none of the alerts about coturn may fire, not even for a minute, and the one
 * about the dying realm must.
 */
const MINUTES = 30 * 1440;
const MEANS = [5, 10, 20, 50, 200];
const DYING = { realm: 'dying-50', mean: 50, atMinute: 20 * 1440 + 17, forMinutes: 60 } as const;
const CALL = { minutes: 5, group: 1 };
/** Sessions whose end coturn does not announce: one of a hundred. */
const UNANNOUNCED = 0.01;
/** promtool reads all of the text anew for each block. */
const IN_FEW_BLOCKS = ['--max-block-duration=744h'];
const NAMES = [
  'CoturnNoEvents',
  'CoturnRecordsIncomplete',
  'CoturnBandwidthNearLimit',
  'CoturnRelayPortsNearLimit',
  'CoturnUnallocatedTrafficSurge',
  'CoturnSessionsDropped',
];

const RULES = RULE_FILES.flatMap(rulesOf);
const ALERTS = RULES.filter(({ name }) => NAMES.includes(name));
const end = Math.floor(Date.now() / 60_000) * 60 - 300;
const start = end - MINUTES * 60;

const cleanup = createCleanup();
let prometheus: PrometheusServer;

beforeAll(async () => {
  const folder = createTempFolder(cleanup.defer);
  const text = join(folder, 'history.txt');
  writeFileSync(text, history());
  const data = join(folder, 'data');
  mkdirSync(data);
  const made = runPromtool([
    'tsdb',
    'create-blocks-from',
    ...IN_FEW_BLOCKS,
    'openmetrics',
    '--quiet',
    text,
    data,
  ]);
  expect(made.exitCode, made.output).toBe(0);
  // Nothing is scraped: the port is nobody's.
  prometheus = await startPrometheusServer(cleanup.defer, { target: '127.0.0.1:9', history: data });
}, 180_000);

afterAll(() => cleanup.run());

describe('a month of healthy realms', () => {
  it('is in Prometheus', async () => {
    const series = await prometheus.query(
      `count_over_time(realm:coturn_sessions:sum[31d] @ ${end})`,
    );
    expect(series).toHaveLength(MEANS.length + 1);
    for (const { value } of series) expect(value).toBeGreaterThan(MINUTES - 2);
  });

  it.each(ALERTS)(
    'gives $name no minute to fire, unless a realm dies',
    async ({ name, expr }) => {
      // When its condition was first true, looked at every third minute.
      const series = await prometheus.query(`min_over_time(timestamp((${expr}))[30d:3m] @ ${end})`);
      const expected = name === 'CoturnSessionsDropped' ? [DYING.realm] : [];
      expect(series.map(({ labels }) => labels['realm'])).toEqual(expected);
      for (const { value } of series) {
        const minutes = (value - start) / 60 - DYING.atMinute;
        expect(minutes).toBeGreaterThanOrEqual(0);
        // It holds for three minutes before it fires: within ten of the death.
        expect(minutes + 3).toBeLessThanOrEqual(10);
      }
    },
    120_000,
  );
});

/** The month in OpenMetrics; what rules record stands under its recorded name. */
function history(): string {
  const limits = RULES.filter(({ name }) => /^coturn:.*:limit$/.test(name)).map(({ name, expr }) =>
    series(name, {}, () => /\((.*)\)/.exec(expr)?.[1] ?? ''),
  );
  const random = createRandom(7);
  const daily = (minute: number) => 0.55 - 0.45 * Math.cos((2 * Math.PI * minute) / 1440);
  const server = { server: 'turn1' };
  const quiet = lonelySessions(random);
  const target = { job: 'coturn-exporter', instance: 'a' };
  return [
    ...limits,
    series('up', target, () => 1),
    series('coturn_sessions', { ...target, relayed: 'false' }, (minute) => quiet.live[minute] ?? 0),
    series(
      'coturn_exporter_last_event_timestamp_seconds',
      { ...target, source: 's' },
      (minute) => start + 60 * (quiet.lastEvent[minute] ?? 0),
    ),
    ...MEANS.flatMap((mean) => realm(`realm-${mean}`, mean, random)),
    ...realm(DYING.realm, DYING.mean, random),
    series('server:coturn_client_bits_per_second:limit', server, () => 1e9),
    series('server:coturn_relay_ports:limit', server, () => 16_384),
    series(
      'server_direction:coturn_client_bits:rate5m',
      { ...server, direction: 'sent' },
      (minute) => Math.round(7e8 * daily(minute) * (0.9 + 0.2 * random())),
    ),
    series(
      'realm_server_transport:coturn_allocations:sum',
      { ...server, transport: 'udp' },
      (minute) => Math.round(9000 * daily(minute)),
    ),
    series(
      'realm_server:coturn_unallocated_received_packets:rate5m',
      { ...server, realm: 'r' },
      (minute) => Math.round(400 * daily(minute) * (0.8 + 0.4 * random())),
    ),
    '# EOF\n',
  ].join('');
}

/** The sessions of a realm, and the rates at which they end, announced and not. */
function realm(name: string, mean: number, random: () => number): string[] {
  const process = sessionsByMinute({ ...CALL, mean, seed: mean + name.length });
  const isDead = (minute: number) =>
    name === DYING.realm && minute >= DYING.atMinute && minute < DYING.atMinute + DYING.forMinutes;
  const rate = (reason: string, share: number) => {
    const ends: number[] = [];
    return series('realm_reason:coturn_sessions_finished:rate15m', { realm: name, reason }, () => {
      ends.push(poisson((mean / CALL.minutes) * share, random));
      return ends.slice(-15).reduce((sum, count) => sum + count, 0) / 900;
    });
  };
  return [
    series('realm:coturn_sessions:sum', { realm: name }, (minute) => {
      const live = process.next().value ?? 0;
      return isDead(minute) ? 0 : live;
    }),
    rate('deleted', 1 - UNANNOUNCED),
    rate('expired', UNANNOUNCED),
  ];
}

/**
 * Now and then an hour-long session that went peer to peer and says nothing between its refreshes,
 * one every nine minutes: how many are live, and the minute of the newest event.
 */
function lonelySessions(random: () => number): { live: number[]; lastEvent: number[] } {
  const live = new Array<number>(MINUTES + 1).fill(0);
  const lastEvent = new Array<number>(MINUTES + 1).fill(0);
  for (let minute = 0; minute < MINUTES; minute += -60 * Math.log(random() || 1e-9)) {
    const until = Math.min(MINUTES, minute - 60 * Math.log(random() || 1e-9));
    for (let at = Math.ceil(minute); at <= until; at += 1) live[at] = (live[at] ?? 0) + 1;
    for (let event = minute; event <= until + 9; event += 9) {
      const at = Math.min(event, until);
      const seenAt = Math.ceil(at);
      lastEvent[seenAt] = Math.max(lastEvent[seenAt] ?? 0, at);
    }
  }
  for (let minute = 1; minute <= MINUTES; minute += 1) {
    lastEvent[minute] = Math.max(lastEvent[minute] ?? 0, lastEvent[minute - 1] ?? 0);
  }
  return { live, lastEvent };
}

/** One series with a value at every minute. */
function series(
  name: string,
  labels: Readonly<Record<string, string>>,
  valueAt: (minute: number) => number | string,
): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const head = `${name}{${pairs.join(',')}}`;
  let text = '';
  for (let minute = 0; minute < MINUTES; minute += 1) {
    text += `${head} ${valueAt(minute)} ${start + 60 * minute}\n`;
  }
  return text;
}
