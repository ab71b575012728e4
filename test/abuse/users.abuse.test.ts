import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodePair } from '../../src/simulator/wire.ts';
import { allocationKey, payloadOf, statusOf, traffic } from '../support/coturn-message.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';

/** How many live at a time, and how many have come when the first look is taken. */
const LIVE = 10_000;
const FIRST_LOOK = 2 * LIVE;
const USERS = process.env['LONG'] === undefined ? 60_000 : 1_000_000;

const STATUS = statusOf('new', { local: '192.0.2.1:3478', remote: '203.0.113.7:50000' });
const REPORT = payloadOf(traffic(10, 10_000, 10, 10_000));

interface Look {
  readonly series: number;
  readonly rss: number;
}

/** Begins the users from one number to another, and ends those who came {@link LIVE} before them. */
function pass(coturn: Socket, from: number, to: number): void {
  for (let user = from; user < to; user += 1) {
    const come = allocationKey(`user-${user}`, user + 1);
    coturn.write(encodePair('publish', `${come}/status`, STATUS));
    coturn.write(encodePair('publish', `${come}/traffic/peer`, REPORT));
    if (user < LIVE) continue;
    const gone = allocationKey(`user-${user - LIVE}`, user - LIVE + 1);
    coturn.write(encodePair('publish', `${gone}/status`, 'deleted'));
    coturn.write(encodePair('publish', `${gone}/total_traffic/peer`, REPORT));
  }
}

/** Waits until all but {@link LIVE} of those who came are recorded, and their series are gone. */
async function untilGone(exporter: ExporterProcess, passed: number): Promise<void> {
  await exporter.untilMetrics(
    (metrics) =>
      metrics.sum('coturn_exporter_records_total') === passed - LIVE &&
      metrics.value('coturn_exporter_users') === LIVE,
    { what: `${passed - LIVE} users to be gone`, timeoutMs: 300_000 },
  );
}

/** What there is, at the least of some looks: memory is swept now and then. */
async function look(exporter: ExporterProcess): Promise<Look> {
  const looks: Look[] = [];
  for (let time = 0; time < 10; time += 1) {
    const { text } = await exporter.metrics();
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    looks.push({ series, rss: exporter.residentBytes });
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return {
    series: Math.max(...looks.map(({ series }) => series)),
    rss: Math.min(...looks.map(({ rss }) => rss)),
  };
}

describe(`${USERS} users, ${LIVE} of them at a time`, () => {
  it('leave neither series nor memory behind', async () => {
    const { first: port } = await claimPorts(onTestFinished);
    const exporter = await startExporter(onTestFinished, {
      args: [
        ...[`--statsdb.listen-address=127.0.0.1:${port}`, '--records.file=/dev/null'],
        // Who has gone keeps a place until the record is written.
        `--user.max-series=${3 * LIVE}`,
      ],
    });
    const coturn = connect(port, '127.0.0.1').resume();
    onTestFinished(() => void coturn.destroy());
    await once(coturn, 'connect');
    let first: Look | undefined;
    for (let passed = LIVE; passed <= USERS; passed += LIVE) {
      pass(coturn, passed - LIVE, passed);
      await untilGone(exporter, passed);
      if (passed === FIRST_LOOK) first = await look(exporter);
    }
    const last = await look(exporter);
    console.info({ first, last });
    if (first === undefined) throw new RangeError('Expected more users');
    expect(last.series).toBeLessThan(1.1 * first.series);
    expect(last.series).toBeGreaterThan(5 * LIVE);
    expect(last.rss).toBeLessThan(1.1 * first.rss);
    const metrics = await exporter.metrics();
    expect(metrics.sum('coturn_peer_received_bytes_total')).toBe(USERS * 10_000);
  }, 900_000);
});
