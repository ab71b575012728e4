import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../support/certificates.ts';
import { createCleanup, type Defer } from '../support/cleanup.ts';
import { coturnVersion, hasDifference } from '../support/coturn-version.ts';
import type { Exposition } from '../support/exposition.ts';
import type { Tab } from '../support/firefox.ts';
import type { RecordLine } from '../support/json-lines.ts';
import { isKept, writeMeasured } from '../support/measured.ts';
import type { Datagram } from '../support/packet-capture.ts';
import { countersOf, recordSums } from '../support/scripted-coturn.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import type { EndOptions, EndStats } from './call-page.ts';
import {
  Call,
  captureRelay,
  type HeardTurn,
  REALM,
  startHeardTurn,
  type Transport,
  untilOver,
} from './call-scene.ts';
import { type ExplainedBytes, explainBytes, untilRelayed } from './explained-bytes.ts';

/** How much each end must have received before it hangs up; `npm run test:long` makes longer calls. */
const ENOUGH_BYTES = process.env['LONG'] === '1' ? 300_000 : 20_000;

/** A browser, and the calls that it can make. */
export interface BrowserCalls {
  readonly name: string;
  /** Its page of calls; it takes certificates of this authority. */
  open(defer: Defer, authority: string): Promise<Tab>;
  readonly transports: readonly Transport[];
  readonly media: readonly EndOptions['media'][];
}

/** Calls of a browser with itself, over both exporters: each must be told to the byte. */
export function describeBrowserCalls({ name, open, transports, media: kinds }: BrowserCalls): void {
  const calls = transports.flatMap((transport) =>
    kinds.map((media) => ({
      transport,
      media,
      users: [`caller-${media}-${transport}`, `callee-${media}-${transport}`] as const,
    })),
  );
  const ends = calls.flatMap(({ users, ...call }) => users.map((user) => ({ user, ...call })));
  const cleanup = createCleanup();
  const lastStats = new Map<string, EndStats>();
  const hungUpMs = new Map<string, number>();
  let heard: HeardTurn;
  let datagrams: readonly Datagram[];
  let after: readonly Exposition[];

  beforeAll(async () => {
    const { defer } = cleanup;
    const authority = new CertificateAuthority(createTempFolder(defer), 'authority');
    const [turn, page] = await Promise.all([
      startHeardTurn(defer, { tls: authority.issue() }),
      open(defer, authority.cert),
    ]);
    heard = turn;
    const capture = await captureRelay(defer, heard);
    for (const { users, ...options } of calls) {
      const call = new Call([
        { page, user: users[0] },
        { page, user: users[1] },
      ]);
      await call.begin(heard, options);
      await call.connected();
      const stats = await call.received(ENOUGH_BYTES);
      await untilRelayed(stats, capture);
      for (const [index, user] of users.entries()) {
        const one = stats[index];
        if (one !== undefined) lastStats.set(user, one);
        hungUpMs.set(user, Date.now());
      }
      await call.hangUp();
    }
    after = await untilOver(heard);
    datagrams = await capture.stop();
  }, 600_000);

  afterAll(() => cleanup.run());

  function recordsHeard(source: 'redis' | 'statsdb'): RecordLine[] {
    return heard.exporters.get(source)?.records ?? [];
  }

  function explain(user: string, source: 'redis' | 'statsdb'): ExplainedBytes[] {
    const stats = lastStats.get(user);
    if (stats === undefined) throw new Error(`No stats of ${user}`);
    const records = recordsHeard(source).filter((record) => record['user'] === user);
    const given = { stats, records, datagrams, hungUpMs: hungUpMs.get(user) ?? 0 };
    return (['sent', 'received'] as const).map((way) => explainBytes(way, given));
  }

  describe.each(['redis', 'statsdb'] as const)(`calls of ${name}, heard by %s`, (source) => {
    it.each(ends)('leave one record of $user, right in every field', ({ user, transport }) => {
      expect(recordsHeard(source).filter((record) => record['user'] === user)).toEqual([
        expect.objectContaining({
          realm: REALM,
          username: expect.stringMatching(new RegExp(`^\\d{10}:${user}$`)),
          ...connectionOf(transport),
          reason: 'deleted',
          relayed: true,
          complete: true,
          start_known: true,
          missed_bytes: 0,
        }),
      ]);
    });

    it.each(ends)('explain every peer byte of $user', ({ user }) => {
      for (const { getStats, checks, afterwards, headers, record } of explain(user, source)) {
        expect(record).toBe(getStats + checks + afterwards + headers);
        expect(getStats).toBeGreaterThanOrEqual(ENOUGH_BYTES / 2);
      }
    });

    it('are counted as the sum of the records', () => {
      const records = recordsHeard(source);
      expect(records).toHaveLength(ends.length);
      const metrics = after[source === 'redis' ? 0 : 1];
      expect(metrics && countersOf([metrics], { realm: REALM })).toEqual(recordSums(records));
      expect(metrics?.sum('coturn_exporter_events_rejected_total')).toBe(0);
      expect(metrics?.sum('coturn_exporter_missed_bytes_total')).toBe(0);
    });
  });

  it('are told alike by both exporters', () => {
    const [redis, statsdb] = (['redis', 'statsdb'] as const).map((source) =>
      ends.map(({ user }) =>
        recordSums(recordsHeard(source).filter((record) => record['user'] === user)),
      ),
    );
    expect(redis).toEqual(statsdb);
  });

  it.runIf(isKept)('are written down', () => {
    const rows = ends.flatMap(({ user, transport, media }) =>
      explain(user, 'redis').map((bytes) => ({ user, transport, media, ...bytes })),
    );
    writeMeasured(`browser-bytes/${name}-${coturnVersion()}`, rows);
    expect(rows).toHaveLength(2 * ends.length);
  });
}

/** What a record tells of how a client was connected. */
function connectionOf(transport: Transport): Record<string, unknown> {
  if (hasDifference('shortStatus')) return { transport: 'unknown', tls: 'unknown', client: '' };
  return {
    transport,
    tls: transport === 'tls' ? expect.stringMatching(/^TLSv1\.[23]$/) : 'none',
    client: expect.toSatisfy(isOwnAddress),
  };
}

/** Browsers come from different addresses of this machine, even from several. */
function isOwnAddress(client: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return client.split(',').every((address) => own.some((each) => each.address === address));
}
