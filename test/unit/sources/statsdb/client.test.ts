import { describe, expect, it } from 'vitest';
import { ConnectedServer } from '../../../../src/domain/servers.ts';
import { SourceStats } from '../../../../src/domain/source-stats.ts';
import { StatsdbClient } from '../../../../src/sources/statsdb/client.ts';
import { ReplyBatch } from '../../../../src/sources/statsdb/reply-batch.ts';
import { FakeSink } from '../fake-sink.ts';
import { encode } from '../resp/decoded.ts';
import { statsdbOptions } from '../statsdb-options.ts';

const KEY = 'turn/realm/example.org/user/alice/allocation/001000000000000001/status';
const NO_PASSWORD =
  '-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n';
const WRONG = '-WRONGPASS invalid username-password pair or user is disabled.\r\n';

function createClient(password?: string) {
  const sink = new FakeSink();
  const stats = new SourceStats('test', 'connection');
  let reply = '';
  let wrongPasswords = 0;
  const output = {
    writableLength: 0,
    write: (text: string) => {
      reply += text;
    },
  };
  const client = new StatsdbClient({
    id: 7,
    peer: '192.0.2.1:5000',
    sink,
    replies: new ReplyBatch(output),
    logins: statsdbOptions({ password }).logins,
    openOrigin: () => sink.openOrigin(stats, '192.0.2.1'),
    origins: () => [sink.openOrigin(stats, '192.0.2.1'), sink.openOrigin(stats, '192.0.2.2')],
    onCoturn: () => new ConnectedServer(),
    onCoturnStarted: (origin) => sink.suspectAll(origin),
    onWrongPassword: () => {
      wrongPasswords++;
    },
  });
  const send = (...args: string[]) => {
    reply = '';
    client.take(encode(...args), 1_000);
    return reply;
  };
  const raw = (text: string) => {
    reply = '';
    return { end: client.take(Buffer.from(text), 1_000), reply };
  };
  return { sink, client, send, raw, output, wrongPasswords: () => wrongPasswords };
}

describe('StatsdbClient', () => {
  it.each([
    [['AUTH', ''], NO_PASSWORD],
    [['auth', 'default', 'x'], NO_PASSWORD],
    [['select', '2'], '+OK\r\n'],
    [['SELECT', '999'], '+OK\r\n'],
    [['SELECT', 'x'], '-ERR invalid DB index\r\n'],
    [['PING'], '+PONG\r\n'],
    [['ping', 'hé'], '$3\r\nhé\r\n'],
    [['PING', 'a', 'b'], "-ERR wrong number of arguments for 'ping' command\r\n"],
    [['ECHO', ''], '$0\r\n\r\n'],
    [['echo'], "-ERR wrong number of arguments for 'echo' command\r\n"],
    [['set', KEY, 'new lifetime=600'], '+OK\r\n'],
    [['del', KEY, ''], ':1\r\n'],
    [['del', 'turn/user/stale', 'user/x'], ':2\r\n'],
    [['publish', KEY, 'deleted'], ':1\r\n'],
    [['PubLish', KEY, 'deleted'], ':1\r\n'],
    [['publish', KEY], "-ERR wrong number of arguments for 'publish' command\r\n"],
    [['keys', 'turn/*/allocation/*/status'], '*0\r\n'],
    [['keys', '*'], '*2\r\n$1\r\na\r\n$2\r\né\r\n'],
    [['KEYS', 'a'], '-ERR only the pattern * is understood here\r\n'],
    [['KEYS', 'turn/*'], '-ERR only the pattern * is understood here\r\n'],
    [['hello', '3'], '-NOPROTO unsupported protocol version\r\n'],
    [['HELLO', '2', 'NONSENSE'], "-ERR Syntax error in HELLO option 'NONSENSE'\r\n"],
    [['CLIENT', 'SETINFO', 'LIB-NAME', 'x'], '+OK\r\n'],
    [['CLIENT', 'ID'], ':7\r\n'],
    [['CLIENT', 'GETNAME'], '$-1\r\n'],
    [['CLIENT', 'LIST'], '$36\r\nid=7 addr=192.0.2.1:5000 name= db=0\n\r\n'],
    [['CLIENT', 'KILL'], "-ERR unknown subcommand 'KILL'. Try CLIENT HELP.\r\n"],
    [['COMMAND'], '*0\r\n'],
    [['COMMAND', 'DOCS'], '*0\r\n'],
    [['COMMAND', 'COUNT'], ':0\r\n'],
    [['CONFIG', 'GET', 'save'], '*0\r\n'],
    [['CONFIG', 'SET', 'save', ''], "-ERR unknown subcommand 'SET'. Try CONFIG HELP.\r\n"],
    [['QUIT'], '+OK\r\n'],
    [['FLUSHALL'], "-ERR unknown command 'FLUSHALL'\r\n"],
    [['a\r\n\x1b[31m'], "-ERR unknown command 'a[31m'\r\n"],
    [['__proto__'], "-ERR unknown command '__proto__'\r\n"],
    [[''], "-ERR unknown command ''\r\n"],
    [['x'.repeat(1_000)], `-ERR unknown command '${'x'.repeat(64)}'\r\n`],
  ])('answers %j', (args, expected) => {
    const { send, sink } = createClient();
    sink.keys.set('192.0.2.1', ['a']);
    sink.keys.set('192.0.2.2', ['é']);
    expect(send(...args)).toBe(expected);
  });

  it('tells about itself as a Redis does', () => {
    const { send } = createClient();
    expect(send('INFO')).toMatch(/^\$\d+\r\n# Server\r\nredis_version:\d/);
    expect(send('INFO', 'replication')).toContain('role:master\r\n');
    expect(send('HELLO', '2', 'SETNAME', 'me')).toMatch(
      /^\*14\r\n\$6\r\nserver\r\n\$5\r\nredis\r\n/,
    );
    expect(send('CLIENT', 'GETNAME')).toBe('$2\r\nme\r\n');
    expect(send('CLIENT', 'SETNAME', 'you')).toBe('+OK\r\n');
    expect(send('CLIENT', 'GETNAME')).toBe('$3\r\nyou\r\n');
  });

  it('hands on messages in order, deltas and others', () => {
    const { raw, sink } = createClient();
    sink.deltas = true;
    const delta = encode('publish', 'k/traffic', 'rcvp=1').toString();
    const status = encode('publish', KEY, 'deleted').toString();
    const { reply } = raw(`${delta}${delta}${status}publish __XXX__ __YYY__\r\n${delta}`);
    expect(reply).toBe(':1\r\n'.repeat(5));
    expect(sink.calls).toEqual([
      '192.0.2.1 k/traffic rcvp=1',
      '192.0.2.1 k/traffic rcvp=1',
      `192.0.2.1 ${KEY} deleted`,
      '192.0.2.1 __XXX__ __YYY__',
      '192.0.2.1 k/traffic rcvp=1',
    ]);
    // The first message opens the key space and so is never taken as a known delta.
    expect(sink.deltaCount).toBe(2);
  });

  it('counts a status once, by its PUBLISH', () => {
    const { send, sink } = createClient();
    send('set', KEY, 'new lifetime=600');
    expect(sink.calls).toEqual([]);
    send('publish', KEY, 'new lifetime=600');
    expect(sink.calls).toHaveLength(1);
  });

  it('makes suspects only for the start-up pattern of KEYS', () => {
    const { send, sink } = createClient();
    send('KEYS', 'turn/*');
    send('KEYS', '*');
    expect(sink.calls).toEqual([]);
    send('keys', 'turn/*/allocation/*/status');
    expect(sink.calls).toEqual(['192.0.2.1 suspect']);
  });

  it('declines to list more than people read', () => {
    const { send, sink } = createClient();
    const keys = Array.from({ length: 10_000 }, (_, index) => `k${index}`);
    sink.keys.set('192.0.2.2', keys);
    expect(send('KEYS', '*')).toMatch(/^\*10000\r\n/);
    sink.keys.set('192.0.2.2', [...keys, 'one more']);
    expect(send('KEYS', '*')).toBe('-ERR too many keys to list here, see /metrics\r\n');
  });

  it('takes the time once for a chunk', () => {
    const { client, sink } = createClient();
    client.take(Buffer.concat([encode('publish', 'a', 'b'), encode('publish', 'a', 'b')]), 5);
    client.take(encode('publish', 'a', 'b'), 6);
    expect([...sink.times]).toEqual([5, 6]);
  });

  it.each([
    [['PING'], false],
    [['ECHO', 'x'], false],
    [['INFO'], false],
    [['KEYS', '*'], false],
    [['AUTH', ''], false],
    [['SELECT', '2'], true],
    [['SET', 'a', 'b'], true],
    [['DEL', 'a', ''], true],
    [['PUBLISH', 'a', 'b'], true],
    [['KEYS', 'turn/*/allocation/*/status'], true],
  ])('takes the sender of %j for a coturn: %s', (args, expected) => {
    const { client, send } = createClient();
    send(...args);
    expect(client.isCoturn).toBe(expected);
  });

  it('ends at QUIT and ignores what follows', () => {
    const { raw, client, sink } = createClient();
    const publish = encode('publish', 'a', 'b').toString();
    expect(raw(`QUIT\r\nPING\r\n${publish}*-1\r\n`)).toEqual({
      end: { kind: 'quit' },
      reply: '+OK\r\n',
    });
    expect(raw(publish)).toEqual({ end: { kind: 'quit' }, reply: '' });
    expect(sink.calls).toEqual([]);
    expect(client.publishingOrigin).toBeUndefined();
  });

  it('answers what came before a protocol error, then says what is wrong', () => {
    const { raw } = createClient();
    expect(raw('PING\r\n*1\r\n$-1\r\n')).toEqual({
      end: { kind: 'refused', reason: 'invalid_length' },
      reply: '+PONG\r\n-ERR Protocol error: invalid length\r\n',
    });
  });

  it('lists nothing for a peer that does not read', () => {
    const { send, sink, output } = createClient();
    sink.keys.set('192.0.2.1', ['a']);
    output.writableLength = 1_000_000;
    expect(send('PING')).toBe('');
    output.writableLength = 0;
    expect(send('KEYS', '*')).toBe('');
  });
});

describe('StatsdbClient with a password', () => {
  it.each([
    [['PING']],
    [['PUBLISH', 'a', 'b']],
    [['KEYS', 'turn/*/allocation/*/status']],
    [['SELECT', '2']],
    [['SET', 'a', 'b']],
    [['NONSENSE']],
  ])('does nothing for %j before it', (args) => {
    const { send, sink, client } = createClient('secret');
    expect(send(...args)).toBe('-NOAUTH Authentication required.\r\n');
    expect(client.isCoturn).toBe(false);
    expect(sink.calls).toEqual([]);
    expect(sink.servers).toEqual([]);
  });

  it.each([
    [['AUTH', '']],
    [['AUTH', 'secre']],
    [['AUTH', 'secret ']],
    [['AUTH', 'secret', 'x']],
    [['HELLO', '2', 'AUTH', 'default', 'x']],
  ])('refuses %j', (args) => {
    const { send, client, wrongPasswords } = createClient('secret');
    expect(send(...args)).toBe(WRONG);
    expect(wrongPasswords()).toBe(1);
    expect(client.isAuthenticated).toBe(false);
  });

  it('ends after three wrong ones, also in one chunk, and reads no more', () => {
    const { raw, client, wrongPasswords } = createClient('secret');
    const { end, reply } = raw(encode('AUTH', 'x').toString().repeat(1_000));
    expect(end).toEqual({ kind: 'refused', reason: 'wrong_password' });
    expect(reply).toBe(WRONG.repeat(3));
    expect(raw(encode('AUTH', 'secret').toString()).end).toEqual(end);
    expect([client.isAuthenticated, wrongPasswords()]).toEqual([false, 3]);
  });

  it.each([[['AUTH', 'secret']], [['auth', 'default', 'secret']]])('takes %j', (args) => {
    const { send, sink } = createClient('secret');
    expect(send(...args)).toBe('+OK\r\n');
    expect(send('publish', 'a', 'b')).toBe(':1\r\n');
    expect(sink.calls).toEqual(['192.0.2.1 a b']);
    // As in Redis, a wrong password later on takes nothing away.
    expect(send('AUTH', 'x')).toBe(WRONG);
    expect(send('PING')).toBe('+PONG\r\n');
  });

  it('takes it in HELLO, and answers HELLO only after it', () => {
    const { send, client } = createClient('secret');
    expect(send('HELLO')).toMatch(/^-NOAUTH /);
    expect(send('HELLO', '2', 'AUTH', 'default', 'secret')).toMatch(/^\*14\r\n/);
    expect(client.isAuthenticated).toBe(true);
  });

  it('lets a stranger send only small commands', () => {
    const { send, client } = createClient('secret');
    send('AUTH', 'secret');
    expect(send('echo', 'x'.repeat(20_000))).toHaveLength(20_010);
    const stranger = createClient('secret');
    expect(stranger.send('echo', 'x'.repeat(20_000))).toContain('argument too long');
    expect(stranger.raw('').end).toEqual({ kind: 'refused', reason: 'argument_too_long' });
    expect(client.pendingBytes).toBe(0);
  });
});
