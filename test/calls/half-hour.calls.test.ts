import { describe, expect, it, onTestFinished } from 'vitest';
import { channelHeaderBytes } from '../support/coturn-version.ts';
import { recordSums } from '../support/scripted-coturn.ts';
import { runTurnClient } from '../support/turn-client.ts';
import { startHeardTurn, untilOver } from './call-scene.ts';

/** A tenth of what coturn gives otherwise, so that three minutes have the refreshes of half an hour. */
const LIFETIME_SECONDS = 60;
/** How often uclient refreshes, whatever lifetime it was given. */
const REFRESH_SECONDS = 30;
const SECONDS = 180;
const INTERVAL_MS = 20;
const MESSAGES = (SECONDS * 1000) / INTERVAL_MS;
const MESSAGE_LENGTH = 170;
const PASSWORD = 'correct-horse';

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
});
