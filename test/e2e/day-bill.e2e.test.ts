import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PrintedBill } from '../support/bill.ts';
import { createCleanup, type Defer } from '../support/cleanup.ts';
import { channelHeaderBytes } from '../support/coturn-version.ts';
import { startExporter } from '../support/exporter-process.ts';
import { type RecordLine, readJsonLines } from '../support/json-lines.ts';
import { isKept, writeMeasured } from '../support/measured.ts';
import { claimPorts } from '../support/port-block.ts';
import { PROGRAM } from '../support/program.ts';
import { startPrometheusServer } from '../support/prometheus-server.ts';
import { recordSums } from '../support/scripted-coturn.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { TestProcess } from '../support/test-process.ts';
import { runTurnClient } from '../support/turn-client.ts';
import { startTurnServer } from '../support/turn-server.ts';
import { until } from '../support/until.ts';

/** Simulated seconds for each real one: a day in 20 s. */
const SPEED = 4320;
const SIMULATED = ['example.net', 'example.org'];
const REAL = 'calls.example';
const SHOWN = new URL('../../docs/measured/day.json', import.meta.url);
const CALL = { clients: 4, messages: 500, messageLength: 200 } as const;
const MESSAGES = CALL.clients * CALL.messages;

/** What one of those who tell says of a realm, in bytes. */
interface Told {
  readonly received: number;
  readonly peerReceived: number;
  readonly peerSent: number;
}

interface RealmTold {
  readonly realm: string;
  readonly sessions: number;
  /** What relayed it: the simulator, or coturn's own client for the peer side. */
  readonly truth: Omit<Told, 'received'> & { readonly received: number | undefined };
  readonly prometheus: Told;
  readonly records: Told;
  readonly report: Told & { readonly billed: number };
}

const cleanup = createCleanup();
let realms: readonly RealmTold[];
let notes: readonly string[];

beforeAll(async () => {
  const { defer } = cleanup;
  const file = join(createTempFolder(defer), 'sessions.jsonl');
  const { first: port } = await claimPorts(defer);
  const statsdb = `127.0.0.1:${port}`;
  const exporter = await startExporter(defer, {
    args: ['--statsdb.listen-address', statsdb, '--records.file', file],
  });
  const target = new URL(exporter.address).host;
  const [prometheus, server] = await Promise.all([
    startPrometheusServer(defer, { target }),
    startTurnServer(defer, {
      realm: REAL,
      users: { alice: 'wonderland' },
      statsdb: { port, database: 0 },
    }),
  ]);
  const client = { server, username: 'alice', password: 'wonderland', transport: 'tcp' } as const;
  const [simulated] = await Promise.all([
    simulateDay(defer, statsdb),
    runTurnClient(defer, { ...client, ...CALL }),
  ]);
  const after = await exporter.untilMetrics(
    (seen) =>
      seen.sum('coturn_sessions_finished_total', { realm: REAL }) > 0 &&
      seen.sum('coturn_sessions') === 0,
    { what: 'the day to be over', timeoutMs: 60_000 },
  );
  const counted = async (realm: string, field: string): Promise<number> => {
    const name = `coturn_${field}_bytes_total`;
    const [series] = await until(
      () => prometheus.query(`sum by (realm) (${name}{realm="${realm}"})`),
      {
        what: 'the last scrape',
        isDone: ([answer]) => answer?.value === after.sum(name, { realm }),
      },
    );
    return series?.value ?? Number.NaN;
  };
  const bill = await reportOf(defer, file);
  notes = bill.notes;
  const records: RecordLine[] = readJsonLines(file);
  const relayed = MESSAGES * CALL.messageLength;
  realms = await Promise.all(
    [REAL, ...SIMULATED].map(async (realm) => {
      const truth = simulated.find((one) => one.realm === realm);
      const own = records.filter((record) => record['realm'] === realm);
      const sums = recordSums(own);
      const row = bill.rows.find((one) => one['realm'] === realm);
      return {
        realm,
        sessions: own.length,
        truth: {
          received: truth?.client.receivedBytes,
          peerReceived: truth?.peer.receivedBytes ?? relayed,
          peerSent: truth?.peer.sentBytes ?? relayed + channelHeaderBytes(MESSAGES),
        },
        prometheus: {
          received: await counted(realm, 'client_received'),
          peerReceived: await counted(realm, 'peer_received'),
          peerSent: await counted(realm, 'peer_sent'),
        },
        records: {
          received: sums.received_bytes,
          peerReceived: sums.peer_received_bytes,
          peerSent: sums.peer_sent_bytes,
        },
        report: {
          received: Number(row?.['received_bytes']),
          peerReceived: Number(row?.['peer_received_bytes']),
          peerSent: Number(row?.['peer_sent_bytes']),
          billed: Number(row?.['billed_bytes']),
        },
      };
    }),
  );
}, 180_000);

afterAll(() => cleanup.run());

interface SimulatedRealm {
  readonly realm: string;
  readonly client: { readonly receivedBytes: number };
  readonly peer: { readonly receivedBytes: number; readonly sentBytes: number };
}

async function simulateDay(defer: Defer, target: string): Promise<readonly SimulatedRealm[]> {
  const day = new TestProcess(defer, {
    command: PROGRAM.command,
    args: [
      ...[...PROGRAM.args, 'simulate', '--target', target, '--json', '--seed', '7'],
      ...['--speed', String(SPEED), '--duration', `${86_400 / SPEED}s`],
      ...['--realms', SIMULATED.join(','), '--users', '200', '--arrival-rate', '0.02'],
      ...['--call-length', '10m', '--noise-rate', '0.01'],
    ],
  });
  await day.exited;
  return JSON.parse(day.stdout.at(-1) ?? '{}').realms;
}

async function reportOf(defer: Defer, file: string): Promise<PrintedBill> {
  const args = ['report', '--by=realm', '--format=json', file];
  const report = new TestProcess(defer, {
    command: PROGRAM.command,
    args: [...PROGRAM.args, ...args],
  });
  await report.exited;
  const bill: PrintedBill = JSON.parse(report.stdout.join('\n'));
  return bill;
}

describe('a day of real and simulated calls', () => {
  it('is told to the byte by who relayed it, Prometheus, the records and the bill', () => {
    for (const { truth, prometheus, records, report } of realms) {
      const { billed, ...told } = report;
      expect(records).toEqual(prometheus);
      expect(told).toEqual(records);
      expect(records).toMatchObject(truth.received === undefined ? peersOf(truth) : truth);
      expect(billed).toBe(records.received + records.peerReceived);
    }
  });

  it('has calls of every realm, and a bill without a note', () => {
    for (const { sessions } of realms) expect(sessions).toBeGreaterThan(0);
    expect(realms.find(({ realm }) => realm === 'example.net')?.sessions).toBeGreaterThan(100);
    expect(notes).toEqual([]);
  });

  it.skipIf(isKept)('is the day that docs/billing.md shows', () => {
    const shown: RealmTold[] = JSON.parse(readFileSync(SHOWN, 'utf8'));
    for (const { realm, records } of realms) {
      const expected = shown.find((one) => one.realm === realm)?.records;
      // What else a real call comes to depends on the version of coturn.
      if (realm === REAL) expect(records.peerReceived).toBe(expected?.peerReceived);
      else expect(records).toEqual(expected);
    }
  });

  it.runIf(isKept)('is written down', () => {
    writeMeasured('day', realms);
    expect(realms).toHaveLength(3);
  });
});

function peersOf({ peerReceived, peerSent }: Omit<Told, 'received'>): Omit<Told, 'received'> {
  return { peerReceived, peerSent };
}
