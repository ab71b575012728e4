import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import type { Exposition } from '../support/exposition.ts';
import type { Datagram } from '../support/packet-capture.ts';
import { countersOf, recordSums } from '../support/scripted-coturn.ts';
import type { EndStats } from './call-page.ts';
import {
  Call,
  type CallScene,
  captureRelay,
  openTab,
  REALM,
  recordsOf,
  startCallScene,
  untilOver,
} from './call-scene.ts';
import { explainBytes } from './explained-bytes.ts';

/** `npm run test:long`: longer calls, and a table of what was explained. */
const isLong = process.env['LONG'] === '1';
/** How much each end must have received before it hangs up. */
const ENOUGH_BYTES = isLong ? 300_000 : 20_000;

const CALLS = (['udp', 'tcp', 'tls'] as const).flatMap((transport) =>
  (['data', 'video'] as const).map((media) => ({
    transport,
    media,
    users: [`caller-${media}-${transport}`, `callee-${media}-${transport}`] as const,
  })),
);
const ENDS = CALLS.flatMap(({ users, ...call }) => users.map((user) => ({ user, ...call })));

const cleanup = createCleanup();
const lastStats = new Map<string, EndStats>();
const hungUpMs = new Map<string, number>();
let scene: CallScene;
let datagrams: readonly Datagram[];
let after: readonly Exposition[];

beforeAll(async () => {
  scene = await startCallScene(cleanup.defer);
  const capture = await captureRelay(cleanup.defer, scene);
  const page = await openTab(cleanup.defer, scene);
  for (const { users, ...options } of CALLS) {
    const call = new Call([
      { page, user: users[0] },
      { page, user: users[1] },
    ]);
    await call.begin(scene, options);
    await call.connected();
    const stats = await call.received(ENOUGH_BYTES);
    for (const [index, user] of users.entries()) {
      const one = stats[index];
      if (one !== undefined) lastStats.set(user, one);
      hungUpMs.set(user, Date.now());
    }
    await call.hangUp();
  }
  after = await untilOver(scene);
  datagrams = await capture.stop();
}, 600_000);

afterAll(() => cleanup.run());

describe.each(['redis', 'statsdb'] as const)('calls of a browser, heard by %s', (source) => {
  const exporter = () => {
    const found = scene.exporters.get(source);
    if (found === undefined) throw new Error(`No exporter ${source}`);
    return found;
  };

  it.each(ENDS)('leave one record of $user, right in every field', ({ user, transport }) => {
    expect(recordsOf(exporter(), user)).toEqual([
      expect.objectContaining({
        realm: REALM,
        username: expect.stringMatching(new RegExp(`^\\d{10}:${user}$`)),
        transport,
        tls: transport === 'tls' ? expect.stringMatching(/^TLSv1\.[23]$/) : 'none',
        client: expect.stringContaining('127.0.0.1'),
        reason: 'deleted',
        relayed: true,
        complete: true,
        start_known: true,
        missed_bytes: 0,
      }),
    ]);
  });

  it.each(ENDS)('explain every peer byte of $user', ({ user }) => {
    const stats = lastStats.get(user);
    if (stats === undefined) throw new Error(`No stats of ${user}`);
    const records = recordsOf(exporter(), user);
    const given = { stats, records, datagrams, hungUpMs: hungUpMs.get(user) ?? 0 };
    for (const way of ['sent', 'received'] as const) {
      const { getStats, checks, afterwards, record } = explainBytes(way, given);
      expect(record).toBe(getStats + checks + afterwards);
      expect(getStats).toBeGreaterThanOrEqual(ENOUGH_BYTES / 2);
    }
  });

  it('are counted as the sum of the records', () => {
    const { records } = exporter();
    expect(records).toHaveLength(ENDS.length);
    const metrics = after[source === 'redis' ? 0 : 1];
    expect(metrics && countersOf([metrics], { realm: REALM })).toEqual(recordSums(records));
    expect(metrics?.sum('coturn_exporter_events_rejected_total')).toBe(0);
    expect(metrics?.sum('coturn_exporter_missed_bytes_total')).toBe(0);
  });
});

describe('the two exporters', () => {
  it('tell the same of each user', () => {
    const [redis, statsdb] = [...scene.exporters.values()].map(({ records }) =>
      ENDS.map(({ user }) => recordSums(records.filter((record) => record['user'] === user))),
    );
    expect(redis).toEqual(statsdb);
  });

  it.runIf(isLong)('explain this much', () => {
    const [exporter] = scene.exporters.values();
    const rows = ENDS.flatMap(({ user }) => {
      const stats = lastStats.get(user);
      if (stats === undefined || exporter === undefined) return [];
      const records = recordsOf(exporter, user);
      const given = { stats, records, datagrams, hungUpMs: hungUpMs.get(user) ?? 0 };
      const client = {
        client_over_peer_sent:
          Number(records[0]?.['received_bytes']) - Number(records[0]?.peer_sent_bytes),
      };
      return (['sent', 'received'] as const).map((way) => ({
        user,
        ...explainBytes(way, given),
        ...client,
      }));
    });
    console.table(rows);
    expect(rows).toHaveLength(2 * ENDS.length);
  });
});
