import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SourceStats } from '../../src/domain/source-stats.ts';
import { createStatsdbSource } from '../../src/sources/statsdb/statsdb-source.ts';
import { FakeSink } from '../unit/sources/fake-sink.ts';
import { statsdbOptions } from '../unit/sources/statsdb-options.ts';

const run = promisify(execFile);
const KEY = 'turn/realm/example.org/user/café/allocation/001000000000000001/status';
const STATUS = 'new lifetime=600';

const sink = new FakeSink();
const source = createStatsdbSource({
  ...statsdbOptions(),
  listen: { host: '127.0.0.1', port: 0 },
  sink,
  stats: new SourceStats('statsdb', 'connection'),
  nowMs: () => 0,
  log: pino({ level: 'silent' }),
});

beforeAll(() => source.start());
afterAll(() => source.stop());

/** What `redis-cli` prints for a command. */
async function cli(...args: string[]): Promise<string> {
  const port = String(source.address?.port);
  // Without a terminal it prints replies bare, one a line.
  const { stdout } = await run('redis-cli', ['-p', port, ...args], { timeout: 10_000 });
  return stdout.trimEnd();
}

describe('redis-cli', () => {
  it('pings', async () => {
    expect(await cli('ping')).toBe('PONG');
    expect(await cli('ping', 'hello')).toBe('hello');
  });

  it('publishes', async () => {
    expect(await cli('publish', KEY, STATUS)).toBe('1');
    expect(sink.calls).toContain(`127.0.0.1 ${KEY} ${STATUS}`);
  });

  it('lists keys', async () => {
    sink.keys.set('127.0.0.1', [KEY, 'turn/user//allocation/000000000000000002/status']);
    expect(await cli('keys', '*')).toBe(`${KEY}\nturn/user//allocation/000000000000000002/status`);
    expect(await cli('keys', '*/realm/*')).toContain('only the pattern * is understood');
    expect(await cli('keys', 'turn/*/allocation/*/status')).toBe('');
  });

  it('chooses a database, and asks for RESP3 in vain', async () => {
    expect(await cli('-n', '2', 'ping')).toBe('PONG');
    expect(await cli('-3', 'ping')).toContain('PONG');
  });

  it('sends a password nobody asked for', async () => {
    expect(await cli('-a', 'x', '--no-auth-warning', 'ping')).toBe('PONG');
  });

  it('shows what the server says of itself', async () => {
    expect(await cli('info')).toContain('role:master');
  });

  it('is told what is unknown', async () => {
    expect(await cli('flushall')).toBe("ERR unknown command 'flushall'");
  });

  it('reads commands from a pipe', async () => {
    const port = String(source.address?.port);
    const child = run('redis-cli', ['-p', port], { timeout: 10_000 });
    child.child.stdin?.end('select 5\necho "a b"\nquit\n');
    expect((await child).stdout.trimEnd().split('\n').slice(0, 2)).toEqual(['OK', 'a b']);
  });
});

describe('redis-benchmark', () => {
  it.each([
    [['-t', 'ping_mbulk', '-n', '20000'], 'PING_MBULK'],
    [['-t', 'ping_inline', '-n', '20000'], 'PING_INLINE'],
    [['-P', '64', '-n', '50000', 'publish', KEY, STATUS], 'publish'],
  ])('completes %j', async (args, name) => {
    const port = String(source.address?.port);
    sink.isRecording = false;
    const { stdout } = await run('redis-benchmark', ['-p', port, '-q', ...args], {
      timeout: 60_000,
    });
    expect(stdout).toContain(name);
    expect(stdout).toMatch(/[\d.]+ requests per second/);
    expect(source.statsdb.mutedConnections).toBe(0);
  });
});
