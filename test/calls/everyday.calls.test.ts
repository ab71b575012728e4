import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, type ExpectStatic, it } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import type { RecordLine } from '../support/json-lines.ts';
import type { PacketCapture } from '../support/packet-capture.ts';
import { recordSums } from '../support/scripted-coturn.ts';
import { until } from '../support/until.ts';
import type { EndStats } from './call-page.ts';
import {
  Call,
  type CallOptions,
  type CallScene,
  captureRelay,
  openTab,
  startCallScene,
  untilUserIsGone,
} from './call-scene.ts';
import { bytesOf, isSentExactly } from './explained-bytes.ts';

/**
 * What a first answer of this coturn gives. Chromium refreshes after half of it, and a client that
 * vanished before is missed after the whole. Chromium's refreshes ask for no time, and are given
 * ten minutes (4.6.1, 4.17.1).
 */
const LIFETIME_SECONDS = 20;
/** `npm run test:long`: a call that Chromium refreshes again, after nine minutes. */
const REFRESHES_EACH = process.env['LONG'] === '1' ? 2 : 1;
/** How long a session of these exporters waits for another allocation. */
const LINGER_MS = 500;
const ENOUGH_BYTES = 8_000;
const UDP_DATA = { transport: 'udp', media: 'data' } as const;

const cleanup = createCleanup();
let scene: CallScene;
let capture: PacketCapture;
/** For the ends that nothing happens to: a tab costs more than a call. */
let tab: Page;

beforeAll(async () => {
  scene = await startCallScene(cleanup.defer, { maxAllocateLifetime: LIFETIME_SECONDS });
  capture = await captureRelay(cleanup.defer, scene);
  tab = await openTab(cleanup.defer, scene);
}, 90_000);

afterAll(() => cleanup.run());

/** A call that has relayed enough; `name` makes the users. */
async function establish(
  options: CallOptions & { readonly name: string; readonly callerTab?: Page },
): Promise<Call> {
  const { name, callerTab = tab } = options;
  const call = new Call([
    { page: callerTab, user: `${name}-caller` },
    { page: tab, user: `${name}-callee` },
  ]);
  await call.begin(scene, options);
  await call.connected();
  await call.received(ENOUGH_BYTES);
  return call;
}

/** What the relay sent to peers and got from them, for an end or for several of one user. */
function wireOf(stats: readonly EndStats[]) {
  const ports = new Set(stats.flatMap(({ relayPorts }) => relayPorts));
  return {
    sent: bytesOf(capture.datagrams.filter(({ from }) => ports.has(from))),
    received: bytesOf(capture.datagrams.filter(({ to }) => ports.has(to))),
  };
}

/** What may have come for a client that had left: DTLS and SCTP say goodbye, ICE checks on. */
const GOODBYE_BYTES = 3_000;

/** Whether records tell what was on the wire. */
function isExact(
  records: readonly RecordLine[],
  wire: { sent: number; received: number },
): boolean {
  const tooLate = wire.received - recordSums(records).peer_received_bytes;
  return isSentExactly(records, wire.sent) && tooLate >= 0 && tooLate <= GOODBYE_BYTES;
}

describe.concurrent('a call of everyday', () => {
  it.for(['udp', 'tcp'] as const)(
    'over %s whose tab is killed ends by itself, complete',
    async (transport, { expect, onTestFinished }) => {
      const callerTab = await openTab(onTestFinished, scene);
      const options = { transport, media: 'data', name: `kill-${transport}`, callerTab } as const;
      const call = await establish(options);
      const [victim, other] = call.ends;
      const stats = (await call.stats()).slice(0, 1);
      const session = await callerTab.context().newCDPSession(callerTab);
      void session.send('Page.crash').catch(() => undefined);
      const all = await untilUserIsGone(scene, victim.user);
      await tab.evaluate((name) => calls.close(name), other.user);
      for (const records of all) {
        expect(records).toEqual([
          expect.objectContaining({ reason: 'deleted', complete: true, relayed: true }),
        ]);
        expect(isSentExactly(records, wireOf(stats).sent), show(records, stats)).toBe(true);
        expect(wireOf(stats).sent).toBeGreaterThanOrEqual(stats[0]?.sentBytes ?? 0);
      }
    },
  );

  it('that lasts for long enough to be refreshed is one session', async ({ expect }) => {
    const call = await establish({ ...UDP_DATA, name: 'refreshed' });
    const [{ user }] = call.ends;
    for (const exporter of scene.exporters.values()) {
      await exporter.untilMetrics(
        (metrics) =>
          metrics.sum('coturn_user_sessions', { user }) === 1 &&
          metrics.sum('coturn_allocation_refreshes_total') >=
            REFRESHES_EACH * metrics.sum('coturn_user_allocations'),
        { what: 'refreshes', timeoutMs: REFRESHES_EACH * 620_000 },
      );
    }
    await hangUpAndCheck(call, expect);
  });

  it('that goes direct although a relay was offered is recorded as not relayed', async ({
    expect,
  }) => {
    const call = await establish({ ...UDP_DATA, policy: 'all', name: 'direct' });
    const stats = await call.stats();
    expect(stats.map(({ candidateType }) => candidateType)).not.toContain('relay');
    await call.hangUp();
    // The other end was connected before it needed to ask for a relay.
    for (const records of await untilUserIsGone(scene, call.ends[0].user)) {
      expect(records).toEqual([expect.objectContaining({ relayed: false, complete: true })]);
      const own = stats.slice(0, 1);
      expect(isSentExactly(records, wireOf(own).sent), show(records, own)).toBe(true);
    }
  });

  it.for(['udp', 'tcp'] as const)(
    'over %s that is reloaded is one session, or two when the pause was long',
    async (transport, { expect, onTestFinished }) => {
      const callerTab = await openTab(onTestFinished, scene);
      const options = { transport, media: 'data', name: `reload-${transport}`, callerTab } as const;
      const call = await establish(options);
      const [{ user }, other] = call.ends;
      // A reload takes its time on a busy machine, and nobody hears the other end meanwhile.
      await tab.evaluate((name) => calls.hush(name), other.user);
      const [before] = await call.stats();
      await callerTab.reload();
      await tab.evaluate((name) => calls.close(name), other.user);
      await call.begin(scene, options);
      await call.connected();
      const [after] = await call.received(ENOUGH_BYTES);
      await call.hangUp();
      const stats = [before, after].filter((one) => one !== undefined);
      for (const records of await untilUserIsGone(scene, user)) {
        expect(isExact(records, wireOf(stats)), show(records, stats)).toBe(true);
        expect(records.length).toBeLessThanOrEqual(2);
        expect(pausesOf(records).filter((ms) => ms < LINGER_MS)).toEqual([]);
      }
    },
  );

  it('in two tabs of a user at a time is one session', async ({ expect, onTestFinished }) => {
    const both = [1, 2].map(async (number) => {
      const call = new Call([
        { page: await openTab(onTestFinished, scene), user: 'tabs-caller' },
        { page: tab, user: `tabs-callee-${number}` },
      ]);
      await call.begin(scene, UDP_DATA);
      await call.connected();
      return call;
    });
    const calls = await Promise.all(both);
    const stats = [];
    for (const call of calls) stats.push(...(await call.received(ENOUGH_BYTES)).slice(0, 1));
    for (const call of calls) await call.hangUp();
    for (const records of await untilUserIsGone(scene, 'tabs-caller')) {
      expect(records).toHaveLength(1);
      expect(isExact(records, wireOf(stats)), show(records, stats)).toBe(true);
    }
  });

  it('whose network changes, so that ICE restarts, is one session', async ({ expect }) => {
    const call = await establish({ ...UDP_DATA, name: 'restart' });
    const before = await call.stats();
    const [caller] = call.ends;
    await caller.page.evaluate((name) => calls.restartIce(name), caller.user);
    await call.introduce();
    await until(() => call.stats(), {
      what: 'new relayed addresses on both ends',
      isDone: (stats) =>
        stats.every((end, at) => end.relayPorts.length > (before[at]?.relayPorts.length ?? 0)),
    });
    await call.connected();
    await hangUpAndCheck(call, expect);
  });

  it('with the microphone muted all the time is relayed', async ({ expect }) => {
    const call = await establish({ transport: 'udp', media: 'muted audio', name: 'muted' });
    await hangUpAndCheck(call, expect);
  });

  it.for([
    ['a wrong password', 'wrong', { secret: 'guessed' }],
    ['credentials that have expired', 'expired', { credentialSeconds: -60 }],
  ] as const)(
    'with %s leaves no series and no record',
    async ([, name, credentials], { expect }) => {
      const call = new Call([
        { page: tab, user: `${name}-caller` },
        { page: tab, user: `${name}-callee` },
      ]);
      await call.begin(scene, { transport: 'tcp', media: 'data', ...credentials });
      for (const { user } of call.ends) {
        expect(await tab.evaluate((end) => calls.errors(end), user)).toContain(401);
      }
      await call.hangUp();
      for (const exporter of scene.exporters.values()) {
        const { text } = await exporter.metrics();
        expect(text).not.toContain(`${name}-call`);
        expect(exporter.process.stdout.join('\n')).not.toContain(`${name}-call`);
      }
    },
  );
});

/** Ends a call of one tab, whose users must have one record each that tells what was relayed. */
async function hangUpAndCheck(call: Call, expect: ExpectStatic): Promise<void> {
  const stats = await call.stats();
  await call.hangUp();
  for (const [index, { user }] of call.ends.entries()) {
    const own = stats.slice(index, index + 1);
    for (const records of await untilUserIsGone(scene, user)) {
      expect(records).toEqual([
        expect.objectContaining({ reason: 'deleted', complete: true, relayed: true }),
      ]);
      expect(isExact(records, wireOf(own)), show(records, own)).toBe(true);
    }
  }
}

/** From the end of a record to the start of the next, in ms. */
function pausesOf(records: readonly RecordLine[]): number[] {
  const sorted = records.toSorted((left, right) =>
    String(left.start).localeCompare(String(right.start)),
  );
  return sorted
    .slice(1)
    .map(
      (record, index) => Date.parse(String(record.start)) - Date.parse(String(sorted[index]?.end)),
    );
}

function show(records: readonly RecordLine[], stats: readonly EndStats[]): string {
  return JSON.stringify({ records, stats, wire: wireOf(stats) }, undefined, 2);
}
