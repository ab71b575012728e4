import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Defer } from '../support/cleanup.ts';
import {
  type ExporterProcess,
  launchExporter,
  startExporter,
} from '../support/exporter-process.ts';
import type { Exposition } from '../support/exposition.ts';
import { type RecordLine, readJsonLines } from '../support/json-lines.ts';
import { claimPorts } from '../support/port-block.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import {
  runTurnClient,
  type TurnClientOptions,
  type TurnClientReport,
} from '../support/turn-client.ts';
import { startTurnServer, type TurnServer } from '../support/turn-server.ts';
import { at, listAt, readYaml } from '../unit/deploy/files.ts';

const REALM = 'example.org';
const PASSWORD = 'correct-horse';
const USERS = { alice: PASSWORD, bob: PASSWORD };
const CLIENTS = 2;
const SIDES = ['client', 'peer'] as const;
const FIELDS = ['received_bytes', 'sent_bytes', 'received_packets', 'sent_packets'] as const;
/** Alice's call lasts some eight seconds: time for an exporter to go and for another to come. */
const LONG = { username: 'alice', messages: 6_000, messageLength: 170, packetIntervalMs: 1 };
/** So few that all of them fit between two relayed addresses, where nobody reads for a while. */
const SHORT = { username: 'bob', messages: 40, messageLength: 199 };

// Most of it is waiting for coturn's keepalive and for uclient: at once it takes a third of the time.
describe.concurrent('coturn as it finds its exporter', () => {
  it('connects within seconds to one that starts later, and is counted to the byte', async ({
    onTestFinished,
  }) => {
    const { first: port } = await claimPorts(onTestFinished);
    const server = await startServer(onTestFinished, port);
    const exporter = await startStatsdb(onTestFinished, port);
    await untilConnected(exporter);

    await shortCall(onTestFinished, server);
    const metrics = await untilIdle(exporter);
    expect(trafficOf(metrics)).toMatchObject(exactly(SHORT));
    const records = await exporter.untilRecords(metrics.sum('coturn_sessions_finished_total'));
    expect(records.filter(({ relayed }) => relayed === true)).toEqual([
      expect.objectContaining({ user: 'bob', complete: true, start_known: true }),
    ]);
    expect(trafficOf(metrics)).toEqual(sumRecords(exporter));
    expect(metrics.sum('coturn_exporter_missed_bytes_total')).toBe(0);
  }, 40_000);

  it.for(['SIGTERM', 'SIGKILL'] as const)(
    'comes back to one restarted by %s amid a call: the call is adopted, later ones are exact',
    { timeout: 45_000 },
    async (signal, { onTestFinished }) => {
      const { first: port } = await claimPorts(onTestFinished);
      const first = await startStatsdb(onTestFinished, port);
      const server = await startServer(onTestFinished, port);
      const running = call(onTestFinished, server, LONG);
      await first.untilMetrics((metrics) => metrics.sum('coturn_peer_sent_bytes_total') > 0, {
        what: 'the first bytes of the call',
        timeoutMs: 20_000,
      });
      first.process.kill(signal);
      await first.process.exited;

      const second = await startStatsdb(onTestFinished, port);
      const adopted = await second.untilMetrics(
        // A scrape is written in pieces, between which the second may be adopted.
        (metrics) =>
          metrics.value('coturn_user_allocations', { user: 'alice' }) === CLIENTS &&
          metrics.sum('coturn_sessions') > 0,
        { what: 'both allocations to be adopted' },
      );
      expect(adopted.sum('coturn_sessions')).toBe(1);
      await untilConnected(second);
      const report = await running;
      const before = await untilIdle(second);
      const records = await second.untilRecords(1);
      expect(records).toEqual([
        expect.objectContaining({
          user: 'alice',
          server: '127.0.0.1',
          reason: 'deleted',
          start_known: false,
          complete: true,
          relayed: true,
          allocations: CLIENTS,
        }),
      ]);
      expectRelayed(records[0], LONG, report);
      // What was relayed before it came, an earlier exporter may have counted.
      const heard = before.sum('coturn_peer_sent_bytes_total');
      expect(heard).toBeGreaterThan(0);
      expect(heard).toBeLessThan(CLIENTS * LONG.messages * LONG.messageLength);
      expect(before.sum('coturn_exporter_missed_bytes_total')).toBe(0);

      await shortCall(onTestFinished, server);
      const after = await second.untilMetrics(
        (metrics) =>
          metrics.sum('coturn_allocations') === 0 &&
          metrics.sum('coturn_sessions') === 0 &&
          metrics.sum('coturn_peer_sent_packets_total') >
            before.sum('coturn_peer_sent_packets_total'),
        { what: 'the later call to end' },
      );
      expect(difference(trafficOf(after), trafficOf(before))).toMatchObject(exactly(SHORT));
      expect(after.sum('coturn_exporter_missed_bytes_total')).toBe(0);
      expect(after.sum('coturn_exporter_events_rejected_total')).toBe(0);

      if (signal === 'SIGTERM') {
        // The probe allocation of uclient may be a session of its own that relayed nothing.
        const relayedRecords = first.records.filter(({ relayed: isRelayed }) => isRelayed === true);
        expect(relayedRecords).toEqual([
          expect.objectContaining({ user: 'alice', reason: 'shutdown' }),
        ]);
      }
    },
  );

  it('amid a call meets the next process of a rolling update, on the same volume: one record', async ({
    onTestFinished,
  }) => {
    const { first: port } = await claimPorts(onTestFinished);
    const volume = createTempFolder(onTestFinished);
    const old = await startOnVolume(onTestFinished, port, volume);
    const server = await startServer(onTestFinished, port);
    const running = call(onTestFinished, server, LONG);
    await old.untilMetrics((metrics) => metrics.sum('coturn_peer_sent_bytes_total') > 0, {
      what: 'the first bytes of the call',
      timeoutMs: 20_000,
    });
    // What Kubernetes does: one is gone before the next one starts.
    expect(await old.stop()).toEqual({ code: 0, signal: null });
    const next = await startOnVolume(onTestFinished, port, volume);
    const early = launchExporter(onTestFinished, { args: shippedFlags(volume) });
    expect(await early.process.exited).toMatchObject({ code: 1 });
    const report = await running;
    await untilIdle(next);
    await next.stop();
    const records = readdirSync(volume)
      .filter((file) => /^sessions-.*\.jsonl$/.test(file))
      .flatMap((file) => readJsonLines(join(volume, file)))
      .filter(({ relayed }) => relayed === true);
    expect(records).toEqual([
      expect.objectContaining({
        user: 'alice',
        reason: 'deleted',
        start_known: true,
        complete: true,
      }),
    ]);
    expectRelayed(records[0], LONG, report);
  }, 45_000);
});

type Call = Pick<TurnClientOptions, 'username' | 'packetIntervalMs'> & {
  readonly messages: number;
  readonly messageLength: number;
};

function startStatsdb(defer: Defer, port: number): Promise<ExporterProcess> {
  const args = ['--statsdb.listen-address', `127.0.0.1:${port}`, '--server.name=127.0.0.1'];
  return startExporter(defer, { args });
}

/** The exporter as the shipped StatefulSet starts it, but for its addresses and its folder. */
function startOnVolume(defer: Defer, port: number, volume: string): Promise<ExporterProcess> {
  const args = ['--statsdb.listen-address', `127.0.0.1:${port}`, ...shippedFlags(volume)];
  return startExporter(defer, { args });
}

function shippedFlags(volume: string): string[] {
  const manifest = readYaml('deploy/kubernetes/exporter/stateful-set.yaml');
  const exporter = at(manifest, 'spec', 'template', 'spec', 'containers', 0);
  const [mount] = listAt(exporter, 'volumeMounts');
  return listAt(exporter, 'args')
    .map(String)
    .filter((flag) => !flag.startsWith('--web.listen-address='))
    .map((flag) => flag.replace(String(at(mount, 'mountPath')), volume));
}

function startServer(defer: Defer, port: number): Promise<TurnServer> {
  return startTurnServer(defer, {
    realm: REALM,
    users: USERS,
    statsdb: { port, database: 0 },
    extraLines: ['relay-threads=2'],
  });
}

/** Two relay threads and the listener: each connects again by its own keepalive, every 5 s. */
async function untilConnected(exporter: ExporterProcess): Promise<void> {
  const metrics = await exporter.untilMetrics(
    (seen) => seen.sum('coturn_exporter_statsdb_connections') >= 3,
    { what: 'all threads of coturn to connect' },
  );
  expect(metrics.value('coturn_up', { source: 'statsdb' })).toBe(1);
}

/** Over TCP the allocations end with the client. */
async function call(defer: Defer, server: TurnServer, options: Call): Promise<TurnClientReport> {
  const report = await runTurnClient(defer, {
    ...options,
    server,
    password: PASSWORD,
    transport: 'tcp',
    clients: CLIENTS,
  });
  expect(report).toMatchObject({ exitCode: 0, sentMessages: CLIENTS * options.messages });
  return report;
}

async function shortCall(defer: Defer, server: TurnServer): Promise<void> {
  const { receivedMessages } = await call(defer, server, SHORT);
  expect(receivedMessages).toBe(CLIENTS * SHORT.messages);
}

function untilIdle(exporter: ExporterProcess): Promise<Exposition> {
  return exporter.untilMetrics(
    (metrics) =>
      metrics.sum('coturn_sessions_finished_total', { relayed: 'true' }) > 0 &&
      metrics.sum('coturn_allocations') === 0 &&
      metrics.sum('coturn_sessions') === 0,
    { what: 'the call to end' },
  );
}

/**
 * All that was sent to peers is told. Each client is the peer of the other, over UDP, of which a busy
 * machine drops some on the way: of what was received, all that the clients got is told.
 */
function expectRelayed(
  record: RecordLine | undefined,
  { messages, messageLength }: Call,
  { receivedMessages }: TurnClientReport,
): void {
  const sent = CLIENTS * messages;
  const received = Number(record?.['peer_received_packets']);
  expect(record).toMatchObject({
    peer_sent_packets: sent,
    peer_sent_bytes: sent * messageLength,
    peer_received_bytes: received * messageLength,
  });
  expect(received).toBeGreaterThanOrEqual(receivedMessages);
  expect(received).toBeLessThanOrEqual(sent);
  expect(received).toBeGreaterThan(sent * 0.9);
}

function relayedBy({ messages, messageLength }: Call) {
  const packets = CLIENTS * messages;
  const bytes = packets * messageLength;
  return {
    peer_received_bytes: bytes,
    peer_sent_bytes: bytes,
    peer_received_packets: packets,
    peer_sent_packets: packets,
  };
}

/** The same as counters of the peer side; the client side carries headers and logins, too. */
function exactly(options: Call): Record<string, number> {
  return Object.fromEntries(
    Object.entries(relayedBy(options)).map(([name, value]) => [name.replace('_', ' '), value]),
  );
}

function trafficOf(metrics: Exposition): Record<string, number> {
  const sums = SIDES.flatMap((side) =>
    FIELDS.map(
      (field) => [`${side} ${field}`, metrics.sum(`coturn_${side}_${field}_total`)] as const,
    ),
  );
  return Object.fromEntries(sums);
}

function sumRecords({ records }: ExporterProcess): Record<string, number> {
  const sums = SIDES.flatMap((side) =>
    FIELDS.map((field) => {
      const name = side === 'peer' ? `peer_${field}` : field;
      const sum = records.reduce((total, record) => total + Number(record[name]), 0);
      return [`${side} ${field}`, sum] as const;
    }),
  );
  return Object.fromEntries(sums);
}

function difference(
  after: Record<string, number>,
  before: Record<string, number>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]),
  );
}
