import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeCommand } from '../../src/simulator/wire.ts';
import { allocationKey, payloadOf, statusOf, traffic } from '../support/coturn-message.ts';
import {
  type ExporterProcess,
  launchExporter,
  startExporter,
} from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { runTurnClient, startTurnClient } from '../support/turn-client.ts';
import { startTurnServer } from '../support/turn-server.ts';

const KEY = 'a key that nobody knows';
const REALM = 'example.org';
const PASSWORD = 'correct-horse';
/** Names and addresses of clients, each seen nowhere else. */
const CALLER = 'zephyrquokka/müller';
const STRANGER = 'kumquatmallory';
const ADDRESS = '127.77.88.99';
const REST = '1795306257:marzipanowl';
const ODD = 'turn/realm/x/user/gorgonzola/allocation/000000000000000001/status';
const REMOTE = '198.51.100.213';
const PLANTED = [
  ...['zephyrquokka', 'müller', STRANGER, '1795306257', 'marzipanowl', 'gorgonzola'],
  ...[ADDRESS, REMOTE],
];

function hidden(text: string, key = KEY): string {
  return createHmac('sha256', key).update(text).digest('hex').slice(0, 16);
}

/** A folder with the key in it, in which the exporter keeps what it writes. */
function createPlace(): { readonly folder: string; readonly args: readonly string[] } {
  const folder = createTempFolder(onTestFinished);
  const key = join(createTempFolder(onTestFinished), 'key');
  writeFileSync(key, `${KEY}\n`);
  const args = [
    ...['--user.label=hash', `--user.hash-key-file=${key}`, '--log.level=trace'],
    ...[`--state.file=${join(folder, 'state.jsonl')}`, '--state.interval=1s'],
  ];
  return { folder, args };
}

/** All that an exporter tells to anybody: pages, output, and files. */
async function told(exporter: ExporterProcess, folder: string): Promise<string> {
  const pages = exporter.process.isRunning
    ? ['/metrics', '/', '/readyz', '/drain', '/nothing']
    : [];
  const answers = await Promise.all(pages.map((path) => exporter.get(path)));
  const files = readdirSync(folder).filter((file) => statSync(join(folder, file)).isFile());
  return [
    ...answers.map(({ body }) => body),
    ...exporter.process.stdout,
    ...exporter.process.stderr,
    ...files.map((file) => readFileSync(join(folder, file), 'utf8')),
  ].join('\n');
}

async function openCoturn(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').resume();
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

function expectNothingPlanted(text: string): void {
  expect(PLANTED.filter((name) => text.includes(name))).toEqual([]);
}

describe('--user.label=hash', () => {
  it('hides the names and addresses of real clients everywhere, also over a restart', async () => {
    const redis = await startRedisServer(onTestFinished);
    const server = await startTurnServer(onTestFinished, {
      realm: REALM,
      users: { [CALLER]: PASSWORD },
      statsdb: { port: redis.port, database: 0 },
    });
    const { folder, args } = createPlace();
    const records = join(folder, 'records.jsonl');
    const all = [
      ...args,
      `--records.file=${records}`,
      `--redis.url=redis://127.0.0.1:${redis.port}`,
    ];
    const first = await startExporter(onTestFinished, { args: all });
    const from = ['-L', ADDRESS];
    const call = { server, password: PASSWORD, transport: 'tcp', extraArguments: from } as const;
    await runTurnClient(onTestFinished, { ...call, username: STRANGER, password: 'wrong' });
    const client = startTurnClient(onTestFinished, {
      ...call,
      username: CALLER,
      messages: 4_000,
      packetIntervalMs: 2,
    });
    await first.untilMetrics((metrics) => metrics.sum('coturn_client_received_bytes_total') > 0, {
      what: 'the call to be reported',
    });
    const user = hidden(CALLER);
    const live = await told(first, folder);
    expectNothingPlanted(live);
    expect(live).toContain(`coturn_user_sessions{realm="${REALM}",user="${user}"} 1`);
    await first.stop();
    expectNothingPlanted(await told(first, folder));
    const state = readFileSync(join(folder, 'state.jsonl'), 'utf8');
    expect(state).toContain(`turn/realm/${REALM}/user/${user}/allocation/`);

    const second = await startExporter(onTestFinished, { args: all });
    await client.exited;
    await second.untilMetrics((metrics) => metrics.sum('coturn_exporter_records_total') > 0, {
      what: 'the record',
    });
    const text = await told(second, folder);
    expectNothingPlanted(text);
    const relayed = readFileSync(records, 'utf8')
      .split('\n')
      .filter((line) => line.includes('"relayed":true'));
    // One session, that went on, to which both processes counted.
    expect(relayed.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({
        ...{ user, username: user, client: hidden(ADDRESS), start_known: true },
        ...{ complete: true, reason: 'deleted', missed_bytes: expect.any(Number) },
      }),
    ]);
    expect(state).toContain(JSON.parse(relayed[0] ?? '{}').session_id);
    await second.stop();
    expectNothingPlanted(await told(second, folder));
  }, 60_000);

  it('hides what was never meant to be a name, in refusals, lists of keys and spilled records', async () => {
    const { first: port } = await claimPorts(onTestFinished);
    const { folder, args } = createPlace();
    const pipe = join(createTempFolder(onTestFinished), 'records');
    execFileSync('mkfifo', [pipe]);
    // Nobody reads it: in the end the records go to stderr.
    const exporter = await startExporter(onTestFinished, {
      args: [...args, `--records.file=${pipe}`, `--statsdb.listen-address=127.0.0.1:${port}`],
    });
    const coturn = await openCoturn(port);
    const say = (name: string, topic: string, payload: string): void => {
      coturn.write(encodeCommand(['publish', `${allocationKey(name, 1)}/${topic}`, payload]));
    };
    for (const name of [CALLER, STRANGER, REST, ODD]) {
      say(name, 'status', statusOf('new', { remote: `${REMOTE}:50000` }));
      say(name, 'traffic', payloadOf(traffic(1, 100, 1, 100)));
      say(name, 'traffic', `rcvp=${name}`);
      say(name, 'status', `new lifetime=${REMOTE}`);
      say(name, name, '');
      say(name.repeat(1_000), 'status', 'deleted');
    }
    coturn.write(`${STRANGER} ${REST} ${ODD}\r\n`);
    await exporter.untilMetrics(
      (metrics) =>
        metrics.sum('coturn_allocations') === 4 &&
        metrics.sum('coturn_exporter_events_rejected_total') >= 16,
      { what: 'all to be heard' },
    );
    const keys = execFileSync('redis-cli', ['-p', String(port), 'keys', '*'], { encoding: 'utf8' });
    expect(keys.trim().split('\n')).toHaveLength(4);
    expect(keys).toContain(hidden(CALLER));
    expectNothingPlanted(keys);
    for (const name of [CALLER, STRANGER, REST, ODD]) say(name, 'status', 'deleted');
    await exporter.untilMetrics((metrics) => metrics.sum('coturn_sessions_finished_total') === 4, {
      what: 'the sessions to finish',
    });
    expectNothingPlanted(await told(exporter, folder));
    await exporter.stop();
    const text = await told(exporter, folder);
    expect(text).toContain('"event":"session_finished"');
    expect(text).toContain(`"user":"${hidden('marzipanowl')}","username":"${hidden(REST)}"`);
    expectNothingPlanted(text);
  }, 60_000);

  it('records the sessions of a state file that another key hid, or none, and begins anew', async () => {
    const { first: port } = await claimPorts(onTestFinished);
    const { folder, args } = createPlace();
    const listen = `--statsdb.listen-address=127.0.0.1:${port}`;
    const state = `--state.file=${join(folder, 'state.jsonl')}`;
    const otherKey = join(createTempFolder(onTestFinished), 'other-key');
    writeFileSync(otherKey, 'another');
    const live = async (given: readonly string[]): Promise<ExporterProcess> => {
      const exporter = launchExporter(onTestFinished, { args: [listen, ...given] });
      await exporter.ready();
      const coturn = await openCoturn(port);
      const status = statusOf('refreshed', { remote: `${REMOTE}:50000` });
      coturn.write(encodeCommand(['publish', `${allocationKey(CALLER, 1)}/status`, status]));
      await exporter.untilMetrics((metrics) => metrics.sum('coturn_allocations') === 1, {
        what: 'the allocation',
      });
      await exporter.stop();
      return exporter;
    };
    await live([state]);
    const second = await live(args);
    expectNothingPlanted(await told(second, folder));
    expect(second.records).toEqual([
      expect.objectContaining({ user: hidden(CALLER), client: hidden(REMOTE), reason: 'shutdown' }),
    ]);
    const third = await live(
      args.map((arg) =>
        arg.startsWith('--user.hash-key-file') ? `--user.hash-key-file=${otherKey}` : arg,
      ),
    );
    expect(third.records).toEqual([
      expect.objectContaining({ user: hidden(CALLER), reason: 'shutdown' }),
    ]);
    const text = await told(third, folder);
    expect(text).toContain(hidden(CALLER, 'another'));
    expectNothingPlanted(text);
  }, 60_000);
});

describe('--user.pattern', () => {
  it('stops the start with the place of its fault', async () => {
    const exporter = launchExporter(onTestFinished, { args: ['--user.pattern=(?<user>.+)_(b'] });
    expect(await exporter.process.exited).toMatchObject({ code: 2 });
    expect(exporter.process.stderr).toEqual([
      'coturn-exporter: Cannot parse --user.pattern "(?<user>.+)_(b": missing closing ) at character 13, expected a regular expression as RE2 knows them',
    ]);
  });
});
