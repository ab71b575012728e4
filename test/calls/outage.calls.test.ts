import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { channelHeaderBytes } from '../support/coturn-version.ts';
import { recordSums } from '../support/scripted-coturn.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import {
  Call,
  type CallScene,
  captureRelay,
  openTab,
  recordsOf,
  startCallScene,
  type Transport,
  untilUserIsGone,
} from './call-scene.ts';
import { bytesOf, isMedia, isSentExactly } from './explained-bytes.ts';

const ENOUGH_BYTES = 8_000;
/** How much each end sends while coturn does not read, for what it drops then to be seen. */
const UNREAD_BYTES = 5_000;

async function establish(scene: CallScene, transport: Transport = 'udp'): Promise<Call> {
  const page = await openTab(onTestFinished, scene);
  const call = new Call([
    { page, user: 'caller' },
    { page, user: 'callee' },
  ]);
  await call.begin(scene, { transport, media: 'data' });
  await call.connected();
  await call.received(ENOUGH_BYTES);
  return call;
}

describe('coturn that is killed amid a call and comes back', () => {
  it('leaves nothing live, and the call that goes on is exact', async () => {
    const scene = await startCallScene(onTestFinished, {
      redisArgs: ['--redis.resync-interval', '1s'],
    });
    const capture = await captureRelay(onTestFinished, scene);
    const call = await establish(scene);
    // Keys were found in this database, so that it means something when they are gone.
    const besideRedis = scene.exporters.get('redis');
    const resyncs = (await besideRedis?.metrics())?.sum('coturn_exporter_resyncs_total') ?? 0;
    await besideRedis?.untilMetrics(
      (metrics) => metrics.sum('coturn_exporter_resyncs_total') >= resyncs + 2,
      { what: 'the keys of the call to be read' },
    );
    const before = await call.stats();
    await scene.turn.stop('SIGKILL');
    // The new process may give out the same ports.
    const backMs = Date.now();
    await scene.turn.start();
    await call.hangUp();
    await call.begin(scene, { transport: 'udp', media: 'data' });
    await call.connected();
    const stats = await call.received(ENOUGH_BYTES);
    await call.hangUp();
    for (const exporter of scene.exporters.values()) {
      await exporter.untilMetrics(
        (metrics) =>
          metrics.sum('coturn_allocations') === 0 && metrics.sum('coturn_user_sessions') === 0,
        {
          what: 'no session to live',
        },
      );
      // What the killed coturn held waits for proof, or for the end of its lifetime.
      await exporter.stop();
      for (const [index, { user }] of call.ends.entries()) {
        const own = recordsOf(exporter, user);
        const sentFrom = (ports: readonly number[] = [], isWanted: (atMs: number) => boolean) =>
          bytesOf(
            capture.datagrams.filter(({ from, atMs }) => ports.includes(from) && isWanted(atMs)),
          );
        const lost = sentFrom(before[index]?.relayPorts, (atMs) => atMs < backMs);
        const told = sentFrom(stats[index]?.relayPorts, (atMs) => atMs >= backMs);
        const { peer_sent_bytes: sent, peer_sent_packets: packets } = recordSums(own);
        expect(sent).toBeGreaterThanOrEqual(told);
        expect(sent).toBeLessThanOrEqual(told + lost + channelHeaderBytes(packets));
        expect(told).toBeGreaterThanOrEqual(stats[index]?.sentBytes ?? 0);
        expect(own.every(({ missed_bytes }) => missed_bytes === 0)).toBe(true);
      }
    }
  });
});

describe('an exporter that is restarted amid a call', () => {
  it('with a state file has one record of it, with its start and with every byte', async () => {
    const state = join(createTempFolder(onTestFinished), 'state');
    const scene = await startCallScene(onTestFinished, { redisArgs: ['--state.file', state] });
    const capture = await captureRelay(onTestFinished, scene);
    const call = await establish(scene);
    await scene.restartRedisExporter();
    const stats = await call.received(3 * ENOUGH_BYTES);
    await call.hangUp();
    for (const [index, { user }] of call.ends.entries()) {
      const [restarted = [], lasting = []] = await untilUserIsGone(scene, user);
      const ports = new Set(stats[index]?.relayPorts);
      const sent = bytesOf(capture.datagrams.filter(({ from }) => ports.has(from)));
      expect(restarted).toEqual([expect.objectContaining({ complete: true, start_known: true })]);
      expect(isSentExactly(restarted, sent)).toBe(true);
      expect(recordSums(restarted)).toEqual(recordSums(lasting));
      expect(
        Math.abs(Date.parse(String(restarted[0]?.start)) - Date.parse(String(lasting[0]?.start))),
      ).toBeLessThan(1000);
    }
  });
});

/** `npm run test:long` */
describe.runIf(process.env['LONG'] === '1')('coturn that is behind when a call hangs up', () => {
  it.each(['tcp', 'tls'] as const)(
    'over %s leaves records of what it relayed',
    async (transport) => {
      const scene = await startCallScene(onTestFinished);
      const capture = await captureRelay(onTestFinished, scene);
      const call = await establish(scene, transport);
      process.kill(scene.turn.pid, 'SIGSTOP');
      const before = await call.stats();
      const stats = await until(() => call.stats(), {
        what: 'both ends to send on',
        isDone: (now) =>
          now.every(
            ({ sentBytes }, end) => sentBytes >= (before[end]?.sentBytes ?? 0) + UNREAD_BYTES,
          ),
      });
      await call.hangUp();
      process.kill(scene.turn.pid, 'SIGCONT');
      for (const [index, { user }] of call.ends.entries()) {
        const all = await untilUserIsGone(scene, user);
        const { relayPorts = [], sentBytes = 0 } = stats[index] ?? {};
        const relayed = capture.datagrams.filter(({ from }) => relayPorts.includes(from));
        for (const records of all) {
          expect(records).toEqual([expect.objectContaining({ complete: true, missed_bytes: 0 })]);
          expect(isSentExactly(records, bytesOf(relayed))).toBe(true);
        }
        // Over TLS fewer may have been relayed than the browser has counted; over TCP it reads on.
        const media = bytesOf(relayed.filter(isMedia));
        if (transport === 'tcp') expect(media).toBeGreaterThanOrEqual(sentBytes);
      }
    },
  );
});
