import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { SourceStats } from '../../../../src/domain/source-stats.ts';
import { PLACE_LIMITS } from '../../../../src/sources/statsdb/places.ts';
import { MAX_UNREAD_BYTES } from '../../../../src/sources/statsdb/reply-batch.ts';
import {
  CLOSE_TIMEOUT_MS,
  PROBATION_MS,
  WRONG_PASSWORD_DELAY_MS,
} from '../../../../src/sources/statsdb/statsdb-connection.ts';
import {
  createStatsdbSource,
  type StatsdbSource,
  type StatsdbSourceOptions,
} from '../../../../src/sources/statsdb/statsdb-source.ts';
import { StatsdbStats } from '../../../../src/sources/statsdb/statsdb-stats.ts';
import { createTempFolder } from '../../../support/temp-folder.ts';
import { FakeSink } from '../fake-sink.ts';
import { byteByByte, decode, encode } from '../resp/decoded.ts';
import { statsdbOptions } from '../statsdb-options.ts';

const KEY = 'turn/realm/example.org/user/alice/allocation/001000000000000001/traffic';
const PAYLOAD = 'rcvp=1, rcvb=2, sentp=3, sentb=4';
const CLOCK = { nowMs: 1_000_000 };

interface Harness {
  readonly source: StatsdbSource;
  readonly sink: FakeSink;
  /** Parsed log lines at warn and above. */
  readonly warnings: Record<string, unknown>[];
}

async function createHarness(options: Partial<StatsdbSourceOptions> = {}): Promise<Harness> {
  const sink = new FakeSink();
  const warnings: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'warn' },
    { write: (line: string) => void warnings.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const source = createStatsdbSource({
    listen: { host: '127.0.0.1', port: 0 },
    sink,
    stats: new SourceStats('statsdb', 'connection'),
    nowMs: () => CLOCK.nowMs,
    log,
    ...statsdbOptions(),
    ...options,
  });
  await source.start();
  onTestFinished(() => source.stop());
  return { source, sink, warnings };
}

/** A client that keeps all it reads. */
class Client {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  text = '';
  #look: (() => void) | undefined;
  #sends = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once('close', resolve);
    });
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
      this.#look?.();
    });
  }

  static async open({ source }: Harness, localAddress = '127.0.0.1'): Promise<Client> {
    const { host, port } = source.address ?? expect.unreachable();
    const client = new Client(connect({ host, port, localAddress }));
    onTestFinished(() => void client.socket.destroy());
    await once(client.socket, 'connect');
    return client;
  }

  /** Resolves when what was read so far ends in the text. */
  async read(end: string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#look = () => {
        if (this.text.endsWith(end)) resolve();
      };
      this.#look();
    });
  }

  /** Sends, and waits until all of it was handled. */
  async send(...chunks: (Buffer | string)[]): Promise<void> {
    for (const chunk of chunks) this.socket.write(chunk);
    const mark = `done ${++this.#sends}`;
    this.socket.write(encode('ECHO', mark));
    await this.read(`${mark}\r\n`);
  }
}

afterEach(() => {
  vi.useRealTimers();
});

/** Lets the event loop go round, for what the other side of a socket sees a little later. */
async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await new Promise((resolve) => setImmediate(resolve));
}

describe('StatsdbSource', () => {
  it('listens, and says how it is', async () => {
    const harness = await createHarness();
    const { source } = harness;
    expect(source.address).toEqual({ host: '127.0.0.1', port: expect.any(Number) as number });
    expect(source.status()).toEqual({
      kind: 'statsdb',
      up: false,
      ready: true,
      detail: '0 servers, 0 connections',
    });
    const client = await Client.open(harness);
    await client.send();
    expect(source.status()).toMatchObject({ up: false, detail: '0 servers, 1 connection' });
    await client.send(encode('SELECT', '2'));
    expect(source.status()).toMatchObject({ up: true, detail: '1 server, 1 connection' });
    client.socket.destroy();
    await until(() => source.statsdb.connections === 0);
    expect(source.status().up).toBe(false);
    await source.stop();
    expect(source.status()).toEqual({ kind: 'statsdb', up: false, ready: false, detail: 'closed' });
  });

  it('starts and stops any number of times', async () => {
    const harness = await createHarness();
    const { source } = harness;
    const before = source.address;
    await Promise.all([source.start(), source.start()]);
    expect(source.address).toBe(before);
    const client = await Client.open(harness);
    await client.send();
    await Promise.all([source.stop(), source.stop()]);
    await client.closed;
    await source.stop();
    expect(source.address).toBeUndefined();
    expect(source.statsdb.closed.stopped).toBe(1);
    await source.start();
    await (await Client.open(harness)).send();
  });

  it('stops while it starts', async () => {
    const { source } = await createHarness();
    await source.stop();
    const starting = source.start();
    await source.stop();
    await starting;
    expect(source.address).toBeUndefined();
  });

  it('tells when the port is taken, and can be started again', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => {
      other.listen(0, '127.0.0.1', resolve);
    });
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const source = createStatsdbSource({
      ...statsdbOptions(),
      listen: { host: '127.0.0.1', port },
      sink: new FakeSink(),
      stats: new SourceStats('statsdb', 'connection'),
      nowMs: () => 0,
      log: pino({ level: 'silent' }),
    });
    await expect(source.start()).rejects.toThrow(
      `Cannot listen for coturn on 127.0.0.1:${port}: the address is in use`,
    );
    expect(source.status().ready).toBe(false);
    await source.stop();
    await new Promise((resolve) => {
      other.close(resolve);
    });
    await source.start();
    expect(source.address?.port).toBe(port);
    await source.stop();
  });

  it('knows servers by the address that connects, and opens one only for data', async () => {
    const harness = await createHarness();
    const first = await Client.open(harness, '127.0.0.1');
    const second = await Client.open(harness, '127.0.0.2');
    const third = await Client.open(harness, '127.0.0.2');
    await first.send(encode('select', '2'));
    expect(harness.sink.servers).toEqual([]);
    await first.send(encode('publish', KEY, PAYLOAD));
    await second.send(encode('publish', KEY, PAYLOAD));
    await third.send(encode('publish', KEY, PAYLOAD));
    expect(harness.sink.servers).toEqual(['127.0.0.1', '127.0.0.2']);
    expect(harness.sink.calls).toEqual([
      `127.0.0.1 ${KEY} ${PAYLOAD}`,
      `127.0.0.2 ${KEY} ${PAYLOAD}`,
      `127.0.0.2 ${KEY} ${PAYLOAD}`,
    ]);
    harness.sink.keys.set('127.0.0.1', ['a']);
    harness.sink.keys.set('127.0.0.2', ['b']);
    first.text = '';
    await first.send(encode('keys', '*'));
    expect(first.text).toMatch(/^\*2\r\n\$1\r\na\r\n\$1\r\nb\r\n/);
  });

  it('shows an IPv4 peer of an IPv6 socket as IPv4', async () => {
    const harness = await createHarness({ listen: { host: '::', port: 0 } });
    const client = new Client(
      connect({ host: '127.0.0.1', port: harness.source.address?.port ?? 0 }),
    );
    await client.send(encode('publish', KEY, PAYLOAD), encode('client', 'list'));
    expect(harness.sink.servers).toEqual(['127.0.0.1']);
    expect(client.text).toMatch(/addr=127\.0\.0\.1:\d+ /);
    client.socket.destroy();
    const v6 = new Client(connect({ host: '::1', port: harness.source.address?.port ?? 0 }));
    await v6.send(encode('publish', KEY, PAYLOAD), encode('client', 'list'));
    expect(harness.sink.servers).toEqual(['127.0.0.1', '::1']);
    expect(v6.text).toMatch(/addr=\[::1\]:\d+ /);
    v6.socket.destroy();
  });

  it('notes a gap when a connection that published breaks, not when another does', async () => {
    const harness = await createHarness();
    const { source, sink } = harness;
    const silent = await Client.open(harness);
    await silent.send(encode('select', '2'), encode('keys', 'turn/*/allocation/*/status'));
    silent.socket.end();
    const polite = await Client.open(harness);
    await polite.send(encode('publish', KEY, PAYLOAD));
    polite.socket.write('QUIT\r\n');
    await polite.closed;
    const loud = await Client.open(harness);
    await loud.send(encode('publish', KEY, PAYLOAD));
    loud.socket.destroy();
    await until(() => source.statsdb.connections === 0);
    expect(source.stats.disconnects).toBe(1);
    expect(sink.calls.filter((call) => call.endsWith(' gap'))).toEqual(['127.0.0.1 gap']);
    expect(source.statsdb.closed).toMatchObject({ peer: 2, quit: 1 });
    expect(source.statsdb.accepted).toBe(3);
  });

  it('counts a reset connection', async () => {
    const harness = await createHarness();
    const client = await Client.open(harness);
    await client.send();
    client.socket.resetAndDestroy();
    await until(() => harness.source.statsdb.closed.socket_error === 1);
    expect(harness.source.statsdb.connections).toBe(0);
  });
});

describe('StatsdbSource and recorded streams', () => {
  const files = ['4.6.1', '4.17.1'].flatMap((version) =>
    Array.from({ length: 8 }, (_, index) => `${version}/wire.conn${index + 1}.bin`),
  );

  it.each(files)('%s gives the same messages and replies whole and byte by byte', async (file) => {
    const bytes = readFileSync(new URL(`../../../fixtures/wire/${file}`, import.meta.url));
    const published = decode(bytes).commands.filter(([name]) => name === 'publish');
    const results = [];
    for (const chunks of [[bytes], byteByByte(bytes)]) {
      const harness = await createHarness();
      const client = await Client.open(harness);
      client.socket.setNoDelay(true);
      await client.send(...chunks);
      const messages = harness.sink.calls.filter((call) => !call.endsWith(' suspect'));
      expect(messages).toEqual(published.map(([, ...rest]) => `127.0.0.1 ${rest.join(' ')}`));
      results.push({ text: client.text, calls: harness.sink.calls });
    }
    expect(results[0]).toEqual(results[1]);
    expect(results[0]?.text).not.toContain('unknown');
  });

  it('answers the start of coturn 4.6.1 as it was answered, but for the keys', async () => {
    const bytes = readFileSync(
      new URL('../../../fixtures/wire/4.6.1/wire.conn4.bin', import.meta.url),
    );
    const harness = await createHarness();
    const client = await Client.open(harness);
    await client.send(bytes);
    expect(client.text).toBe(
      '-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n' +
        '+OK\r\n*0\r\n:2\r\n:1\r\n$6\r\ndone 1\r\n',
    );
    expect(harness.sink.calls).toEqual(['127.0.0.1 suspect']);
  });
});

describe('StatsdbSource and bad peers', () => {
  it.each([
    ['garbage', Buffer.from([0x16, 3, 1, 0, 200]), 'unexpected_byte'],
    ['a huge count', '*9999999\r\n', 'too_many_arguments'],
    ['a huge length', '*1\r\n$9999999\r\n', 'argument_too_long'],
    ['a length beyond all numbers', '*1\r\n$99999999999999999999\r\n', 'invalid_length'],
    ['a negative length', '*1\r\n$-1\r\n', 'invalid_length'],
    ['a negative count', '*-1\r\n', 'invalid_length'],
    ['a nested array', '*1\r\n*1\r\n', 'expected_bulk'],
    ['a missing line end', '*1\r\n$1\r\nabc', 'missing_terminator'],
    ['an endless line', 'x'.repeat(2_000), 'inline_too_long'],
    ['HTTP', 'POST /x HTTP/1.1\r\n', 'cross_protocol'],
  ] as const)('closes after %s, with an error, and counts it', async (_, bytes, reason) => {
    const harness = await createHarness();
    const client = await Client.open(harness);
    client.socket.write(bytes);
    await client.closed;
    expect(client.text).toMatch(/^-ERR Protocol error: .+\r\n$/);
    await until(() => harness.source.statsdb.connections === 0);
    expect(harness.source.statsdb.refused[reason]).toBe(1);
    expect(harness.source.statsdb.closed.refused).toBe(1);
    expect(harness.warnings).toMatchObject([{ reason, total: 1, source: 'statsdb' }]);
  });

  it('logs each kind of refusal once a minute', async () => {
    const harness = await createHarness();
    const offend = async (text: string) => {
      const client = await Client.open(harness);
      client.socket.write(text);
      await client.closed;
    };
    CLOCK.nowMs = 5_000_000;
    await offend('*-1\r\n');
    CLOCK.nowMs += 59_999;
    await offend('*-1\r\n');
    await offend('+OK\r\n');
    CLOCK.nowMs += 1;
    await offend('*-1\r\n');
    expect(harness.warnings.map(({ reason, total }) => [reason, total])).toEqual([
      ['invalid_length', 1],
      ['unexpected_byte', 1],
      ['invalid_length', 3],
    ]);
  });

  it('drops a peer that goes on sending after its error, in time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const harness = await createHarness();
    const { statsdb } = harness.source;
    const host = '127.0.0.1';
    const port = harness.source.address?.port ?? 0;
    // Half open: it neither hangs up nor takes our end for one.
    const socket = connect({ host, port, allowHalfOpen: true }).on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
    socket.write('*-1\r\n');
    await until(() => statsdb.refused.invalid_length === 1);
    socket.write('PING\r\n'.repeat(1_000));
    socket.resume();
    await once(socket, 'end');
    expect(statsdb.connections).toBe(1);
    vi.advanceTimersByTime(CLOSE_TIMEOUT_MS);
    await until(() => statsdb.connections === 0);
    expect(harness.source.statsdb.closed.refused).toBe(1);
  });

  it('lets the oldest silent one of an address give way to a coturn of that address', async () => {
    const harness = await createHarness();
    const crowd: Client[] = [];
    for (let count = 0; count < PLACE_LIMITS.perAddress; count++) {
      crowd.push(await Client.open(harness));
    }
    await crowd.at(-1)?.send();
    const coturn = await Client.open(harness);
    await coturn.send(encode('publish', KEY, PAYLOAD));
    await crowd[0]?.closed;
    expect(crowd[0]?.text).toBe('-ERR max number of clients reached\r\n');
    expect(harness.sink.calls).toHaveLength(1);
    expect(harness.source.statsdb.refused.too_many_connections).toBe(1);
    expect(harness.warnings).toMatchObject([
      { reason: 'too_many_connections', peer: expect.stringContaining('127.0.0.1:') as string },
    ]);
    expect(harness.source.status().detail).toBe(`1 server, ${PLACE_LIMITS.perAddress} connections`);
  });

  it('keeps the mute connections of a coturn, and gives a crowd few seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const harness = await createHarness();
    const mute = [await Client.open(harness), await Client.open(harness)];
    const thread = await Client.open(harness);
    await thread.send(encode('publish', KEY, PAYLOAD));
    const { statsdb } = harness.source;
    const all = PLACE_LIMITS.perAddress + PLACE_LIMITS.probation;
    for (let count = 3; count < all + 50; count++) await Client.open(harness);
    await until(() => statsdb.connections === all && statsdb.accepted === all + 50);
    // A relay thread comes back in the middle of it.
    const late = await Client.open(harness);
    await late.send(encode('publish', KEY, PAYLOAD));
    vi.advanceTimersByTime(PROBATION_MS);
    await until(() => statsdb.connections === PLACE_LIMITS.perAddress + 1);
    for (const client of [...mute, thread, late]) {
      await client.send(encode('publish', KEY, PAYLOAD));
    }
    expect(harness.sink.calls).toHaveLength(6);
  });

  it('takes a coturn that asks twice in a second for its keys to have started once', async () => {
    const harness = await createHarness();
    const client = await Client.open(harness);
    const start = encode('keys', 'turn/*/allocation/*/status');
    await client.send(Buffer.concat([start, start, start]), start);
    expect(harness.sink.calls).toHaveLength(1);
    CLOCK.nowMs += 1_000;
    await client.send(start);
    expect(harness.sink.calls).toHaveLength(2);
  });

  it('waits for a slow sender, and serves others meanwhile', async () => {
    const harness = await createHarness();
    const client = await Client.open(harness);
    client.socket.write('*2\r\n$4\r\nECHO\r\n$65536\r\nx');
    const second = await Client.open(harness);
    await second.send();
    expect(harness.source.statsdb.connections).toBe(2);
    client.socket.write(`${'x'.repeat(65_535)}\r\n`);
    await client.read('x\r\n');
    expect(client.text).toHaveLength(65_536 + 10);
  });
});

describe('StatsdbSource with a password', () => {
  it('counts only what comes after it', async () => {
    const harness = await createHarness(statsdbOptions({ password: 'secret' }));
    const client = await Client.open(harness);
    client.socket.write(Buffer.concat([encode('AUTH', ''), encode('publish', KEY, PAYLOAD)]));
    await client.read('required.\r\n');
    expect(harness.sink.calls).toEqual([]);
    expect(harness.source.status().up).toBe(false);
    expect(harness.source.statsdb.wrongPasswords).toBe(1);
    await client.send(encode('AUTH', 'secret'), encode('publish', KEY, PAYLOAD));
    expect(harness.sink.calls).toHaveLength(1);
    expect(harness.source.status().up).toBe(true);
    expect(JSON.stringify(harness.warnings)).not.toContain('secret');
  });

  it('lets no crowd without it keep out who knows it', async () => {
    const harness = await createHarness(statsdbOptions({ password: 'secret' }));
    const { statsdb } = harness.source;
    const most = PLACE_LIMITS.strangers;
    for (let count = 0; count < most + 100; count++) await Client.open(harness);
    const friend = await Client.open(harness);
    await friend.send(encode('AUTH', 'secret'), encode('publish', KEY, PAYLOAD));
    expect(harness.sink.calls).toHaveLength(1);
    await until(() => statsdb.connections <= most + 1);
    for (let count = 0; count < 100; count++) await Client.open(harness);
    await friend.send(encode('publish', KEY, PAYLOAD));
    expect(harness.sink.calls).toHaveLength(2);
  });

  it('makes who guesses wait, hangs up after three, and names the peer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const harness = await createHarness(statsdbOptions({ password: 'secret' }));
    const { statsdb } = harness.source;
    const client = await Client.open(harness);
    for (const [index, guess] of ['a', 'b'].entries()) {
      client.socket.write(encode('AUTH', guess));
      await until(() => statsdb.wrongPasswords === index + 1);
    }
    client.socket.write(encode('AUTH', 'c'));
    for (let round = 0; round < 100; round++) await new Promise((done) => setImmediate(done));
    expect(statsdb.wrongPasswords).toBe(2);
    vi.advanceTimersByTime(WRONG_PASSWORD_DELAY_MS);
    await client.closed;
    expect([statsdb.wrongPasswords, statsdb.refused.wrong_password]).toEqual([3, 1]);
    expect(harness.warnings).toMatchObject([
      { peer: expect.stringContaining('127.0.0.1:') as string },
      { reason: 'wrong_password' },
    ]);
  });

  it('closes who has not sent it after ten seconds, and nobody else', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const harness = await createHarness(statsdbOptions({ password: 'secret' }));
    const friend = await Client.open(harness);
    await friend.send(encode('AUTH', 'secret'));
    const mute = await Client.open(harness);
    const slow = await Client.open(harness);
    slow.socket.write('*2\r\n$4\r\nAU');
    const chatty = await Client.open(harness);
    chatty.socket.write('PING\r\n');
    await chatty.read('\r\n');
    await until(() => harness.source.statsdb.connections === 4);
    vi.advanceTimersByTime(PROBATION_MS - 1);
    expect(harness.source.statsdb.refused.unauthenticated).toBe(0);
    vi.advanceTimersByTime(1);
    await Promise.all([mute.closed, slow.closed, chatty.closed]);
    expect(harness.source.statsdb.refused.unauthenticated).toBe(3);
    expect(harness.warnings).toMatchObject([{ reason: 'unauthenticated' }]);
    await friend.send(encode('publish', KEY, PAYLOAD));
    expect(harness.sink.calls).toHaveLength(1);
  });
});

describe('StatsdbSource and a coturn that never reads', () => {
  it('takes every message, holds few replies, and says so once', async () => {
    const harness = await createHarness();
    const { source, sink } = harness;
    sink.isRecording = false;
    const port = source.address?.port ?? 0;
    const socket = connect({ host: '127.0.0.1', port });
    onTestFinished(() => void socket.destroy());
    // Never flows: the kernel's buffers fill, then ours.
    socket.pause();
    const total = 200_000;
    const batch = Buffer.concat(
      Array.from({ length: 1_000 }, () => encode('publish', KEY, PAYLOAD)),
    );
    // A reply of some size fills the kernel's buffers, which hold megabytes here.
    const filler = encode('ECHO', 'x'.repeat(60_000));
    for (let sent = 0; sent < total; sent += 1_000) {
      if (!socket.write(Buffer.concat([filler, batch]))) await once(socket, 'drain');
    }
    await until(() => sink.messageCount === total);
    expect(source.statsdb.mutedConnections).toBe(1);
    expect(source.statsdb.droppedReplies).toBeGreaterThan(1_000);
    expect(source.statsdb.connections).toBe(1);
    expect(harness.warnings).toHaveLength(1);
    expect(MAX_UNREAD_BYTES).toBeLessThanOrEqual(64 * 1_024);
    // Others are served as before.
    const other = await Client.open(harness);
    await other.send(encode('publish', KEY, PAYLOAD));
    expect(other.text).toMatch(/^:1\r\n/);
  });

  it('is let go when it ends without reading', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const harness = await createHarness();
    const socket = connect({ host: '127.0.0.1', port: harness.source.address?.port ?? 0 });
    onTestFinished(() => void socket.destroy());
    socket.pause();
    const filler = encode('ECHO', 'x'.repeat(60_000));
    while (harness.source.statsdb.mutedConnections === 0) {
      if (!socket.write(filler)) await once(socket, 'drain');
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end();
    await once(socket, 'finish');
    await until(() => vi.getTimerCount() > 0);
    vi.advanceTimersByTime(CLOSE_TIMEOUT_MS);
    await until(() => harness.source.statsdb.connections === 0);
  });
});

describe('StatsdbStats', () => {
  it('counts connections that could not be accepted, and says so once a minute', () => {
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    let nowMs = 0;
    const stats = new StatsdbStats(log, () => nowMs);
    stats.noteAcceptError(new Error('accept EMFILE'));
    stats.noteAcceptError(new Error('accept EMFILE'));
    nowMs = 60_000;
    stats.noteAcceptError(new Error('accept EMFILE'));
    expect(stats.acceptErrors).toBe(3);
    expect(lines).toHaveLength(2);
    // A clock that was set back by more than a minute does not silence it either.
    nowMs = -1;
    stats.noteAcceptError(new Error('accept EMFILE'));
    expect(lines).toHaveLength(3);
  });
});

describe('StatsdbSource with passwords of servers', () => {
  function createServersFile(text: string): string {
    const file = join(createTempFolder(onTestFinished), 'servers');
    writeFileSync(file, text);
    return file;
  }

  it('takes each coturn for the server of its password, and others for their address', async () => {
    const serversFile = createServersFile('berlin:spree\nparis:seine\n');
    const harness = await createHarness({
      ...statsdbOptions({ password: 'general', serversFile }),
      serverName: (address) => `at ${address}`,
    });
    const publish = encode('publish', KEY, PAYLOAD);
    for (const login of [['spree'], ['paris', 'seine'], ['x', 'general']]) {
      const client = await Client.open(harness);
      await client.send(encode('AUTH', ...login), encode('SELECT', '0'), publish);
    }
    expect(harness.sink.calls).toEqual([
      `berlin ${KEY} ${PAYLOAD}`,
      `paris ${KEY} ${PAYLOAD}`,
      `at 127.0.0.1 ${KEY} ${PAYLOAD}`,
    ]);
    // A key space keeps its name in the state file when the label changes.
    expect(harness.sink.servers).toEqual(['berlin', 'paris', '127.0.0.1']);
    expect(harness.source.status().detail).toBe('3 servers, 3 connections');
  });

  it('tells who was refused, with the name that came with the password', async () => {
    const serversFile = createServersFile('berlin:spree\n');
    const harness = await createHarness(statsdbOptions({ serversFile }));
    const client = await Client.open(harness);
    client.socket.write(encode('AUTH', 'berlin', 'seine'));
    await client.read('disabled.\r\n');
    const other = await Client.open(harness, '127.0.0.2');
    other.socket.write(encode('AUTH', 'nobody', 'spre'));
    await other.read('disabled.\r\n');
    expect(harness.warnings).toMatchObject([
      { peer: expect.stringMatching(/^127\.0\.0\.1:/) as string, server: 'berlin', total: 1 },
      { peer: expect.stringMatching(/^127\.0\.0\.2:/) as string, total: 2 },
    ]);
    expect(JSON.stringify(harness.warnings)).not.toMatch(/seine|spre|nobody/);
  });

  it('lets nobody become another server', async () => {
    const serversFile = createServersFile('berlin:spree\nparis:seine\n');
    const harness = await createHarness(statsdbOptions({ serversFile }));
    const client = await Client.open(harness);
    const publish = encode('publish', KEY, PAYLOAD);
    await client.send(encode('AUTH', 'spree'), publish, encode('AUTH', 'seine'), publish);
    expect(harness.sink.servers).toEqual(['berlin']);
    expect(harness.source.statsdb.wrongPasswords).toBe(1);
  });

  it('hangs up on a server that is taken out of the file, and refuses it from then on', async () => {
    const serversFile = createServersFile('berlin:spree\nparis:seine\n');
    const harness = await createHarness(statsdbOptions({ serversFile }));
    const { statsdb } = harness.source;
    const berlin = await Client.open(harness);
    await berlin.send(encode('AUTH', 'spree'), encode('publish', KEY, PAYLOAD));
    const paris = await Client.open(harness);
    await paris.send(encode('AUTH', 'seine'));
    writeFileSync(serversFile, 'paris:seine\n');
    const late = await Client.open(harness);
    await berlin.closed;
    expect(statsdb.refused.server_removed).toBe(1);
    late.socket.write(encode('AUTH', 'spree'));
    await late.read('disabled.\r\n');
    await paris.send(encode('publish', KEY, PAYLOAD));
    const call = `${KEY} ${PAYLOAD}`;
    expect(harness.sink.calls).toEqual([`berlin ${call}`, 'berlin gap', `paris ${call}`]);
  });

  it('looks at the file by itself', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const serversFile = createServersFile('berlin:spree\nparis:seine\n');
    const harness = await createHarness(statsdbOptions({ serversFile }));
    const berlin = await Client.open(harness);
    await berlin.send(encode('AUTH', 'spree'));
    writeFileSync(serversFile, 'paris:seine\n');
    vi.advanceTimersByTime(5_000);
    await berlin.closed;
  });
});
