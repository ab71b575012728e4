import { describe, expect, it, onTestFinished } from 'vitest';
import { channelHeaderBytes } from '../support/coturn-version.ts';
import { openFirefox, whyNoFirefox } from '../support/firefox.ts';
import { recordSums } from '../support/scripted-coturn.ts';
import { runTurnClient } from '../support/turn-client.ts';
import { callPage } from './call-page.ts';
import { Call, captureRelay, startHeardTurn, untilOver } from './call-scene.ts';
import { explainBytes, untilRelayed } from './explained-bytes.ts';

/** A tenth of what coturn gives otherwise, so that three minutes have the refreshes of half an hour. */
const LIFETIME_SECONDS = 60;
/** How often uclient refreshes, whatever lifetime it was given. */
const REFRESH_SECONDS = 30;
const SECONDS = 180;
const INTERVAL_MS = 20;
const MESSAGES = (SECONDS * 1000) / INTERVAL_MS;
const MESSAGE_LENGTH = 170;
const PASSWORD = 'correct-horse';
/**
 * Firefox asks for an hour each time, so coturn gives it this again and again. Chromium asks for no
 * time when it refreshes, and then every coturn gives ten minutes, whatever its longest is
 * (4.6.1, 4.17.1).
 */
const FIREFOX_LIFETIME_SECONDS = 20;
/** Ten seconds before the end of each. */
const FIREFOX_REFRESHES = (3 * FIREFOX_LIFETIME_SECONDS) / 10;

/** `npm run test:long` */
describe.runIf(process.env['LONG'] === '1')('a call of half an hour, in time-lapse', () => {
  it('is one session of three lifetimes, told to the byte', async () => {
    const heard = await startHeardTurn(onTestFinished, {
      users: { alice: PASSWORD },
      maxAllocateLifetime: LIFETIME_SECONDS,
    });
    const report = await runTurnClient(onTestFinished, {
      ...{ server: heard.turn, username: 'alice', password: PASSWORD },
      ...{ messages: MESSAGES, packetIntervalMs: INTERVAL_MS, messageLength: MESSAGE_LENGTH },
    });
    expect(report).toMatchObject({ exitCode: 0, sentMessages: 2 * MESSAGES });
    const all = await untilOver(heard, 3 * LIFETIME_SECONDS * 1000);
    const [redis, statsdb] = [...heard.exporters.values()].map(({ records }) => records);
    for (const records of [redis, statsdb]) {
      expect(records).toEqual([
        expect.objectContaining({ reason: 'deleted', complete: true, relayed: true }),
      ]);
      expect(records?.[0]?.['duration_seconds']).toBeGreaterThanOrEqual(SECONDS);
      expect(recordSums(records ?? [])).toMatchObject({
        peer_received_bytes: 2 * MESSAGES * MESSAGE_LENGTH,
        peer_sent_bytes: 2 * MESSAGES * MESSAGE_LENGTH + channelHeaderBytes(2 * MESSAGES),
      });
    }
    for (const metrics of all) {
      const refreshes = metrics.sum('coturn_allocation_refreshes_total');
      expect(refreshes).toBeGreaterThanOrEqual(2 * (SECONDS / REFRESH_SECONDS - 1));
    }
  }, 600_000);

  it.skipIf(whyNoFirefox() !== undefined)(
    'of Firefox is told to the byte',
    async () => {
      const [heard, page] = await Promise.all([
        startHeardTurn(onTestFinished, { maxAllocateLifetime: FIREFOX_LIFETIME_SECONDS }),
        openFirefox(onTestFinished, `(${callPage})()`),
      ]);
      const capture = await captureRelay(onTestFinished, heard);
      const users = ['caller', 'callee'] as const;
      const call = new Call([
        { page, user: users[0] },
        { page, user: users[1] },
      ]);
      await call.begin(heard, { transport: 'udp', media: 'data' });
      await call.connected();
      for (const exporter of heard.exporters.values()) {
        await exporter.untilMetrics(
          (metrics) =>
            metrics.sum('coturn_allocations') > 0 &&
            metrics.sum('coturn_allocation_refreshes_total') >=
              FIREFOX_REFRESHES * metrics.sum('coturn_allocations'),
          { what: 'three lifetimes to pass', timeoutMs: 4 * FIREFOX_LIFETIME_SECONDS * 1000 },
        );
      }
      const stats = await call.stats();
      await untilRelayed(stats, capture);
      const hungUpMs = Date.now();
      await call.hangUp();
      await untilOver(heard);
      const datagrams = await capture.stop();
      for (const { records: all } of heard.exporters.values()) {
        for (const [index, own] of stats.entries()) {
          const records = all.filter((record) => record['user'] === users[index]);
          expect(records).toEqual([
            expect.objectContaining({ reason: 'deleted', complete: true, relayed: true }),
          ]);
          for (const way of ['sent', 'received'] as const) {
            const explained = explainBytes(way, { stats: own, records, datagrams, hungUpMs });
            const { record, getStats, checks, afterwards, headers } = explained;
            expect(record).toBe(getStats + checks + afterwards + headers);
          }
        }
      }
    },
    600_000,
  );
});
