import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ExporterOptions, ExporterProcess } from '../support/exporter-process.ts';

// Nobody listens there: these tests end before anybody is asked.
const NO_REDIS = ['--redis.url', 'redis://127.0.0.1:1/0'];

describe('a bad command line', () => {
  it.each([
    { args: ['--no-such-flag'], names: ['--no-such-flag'] },
    { args: ['--session.lingr', '5s'], names: ['--session.lingr'] },
    { args: ['no-such-command'], names: ['no-such-command'] },
    { args: ['--session.linger'], names: ['--session.linger'] },
    { args: ['--session.linger', '5parsecs'], names: ['--session.linger', '5parsecs', '500ms'] },
    { args: ['--web.listen-address', 'nowhere'], names: ['--web.listen-address', 'nowhere'] },
    { args: ['--web.listen-address', '127.0.0.1:70000'], names: ['--web.listen-address', '70000'] },
    { args: ['--user.max-series', '-1'], names: ['--user.max-series', '-1'] },
    { args: ['--user.label', 'nickname'], names: ['--user.label', 'nickname', 'userid'] },
    { args: ['--redis.url', 'http://127.0.0.1'], names: ['--redis.url', 'redis://'] },
    { args: ['--log.level', 'loud'], names: ['--log.level', 'loud', 'info'] },
  ])('stops the start with one line that names it: $args', async ({ args, names }) => {
    const { code, stdout, stderr } = await run({ args });
    expect(stderr).toHaveLength(1);
    for (const name of names) expect(stderr[0]).toContain(name);
    expect(stdout).toEqual([]);
    expect(code).toBe(2);
  });

  it('stops the start for a bad variable too, and names that', async () => {
    const { code, stderr } = await run({
      args: [],
      env: { COTURN_EXPORTER_SESSION_LINGER: '5parsecs' },
    });
    expect(code).toBe(2);
    expect(stderr).toHaveLength(1);
    expect(stderr[0]).toContain('COTURN_EXPORTER_SESSION_LINGER');
    expect(stderr[0]).toContain('5parsecs');
  });

  it('does not show the password of a bad URL', async () => {
    const { code, stderr } = await run({
      args: ['--redis.url', 'redis://:top-secret@127.0.0.1:99999/0'],
    });
    expect(code).toBe(2);
    expect(stderr).toHaveLength(1);
    expect(stderr[0]).not.toContain('top-secret');
  });
});

describe('a good command line', () => {
  it('passes --check-config and starts nothing', async () => {
    expect((await run({ args: [...NO_REDIS, '--check-config'] })).code).toBe(0);
  });

  it('makes --check-config fail on a bad value', async () => {
    expect((await run({ args: ['--check-config', '--session.linger', 'x'] })).code).toBe(2);
  });

  it('prints the version', async () => {
    const { code, stdout } = await run({ args: ['--version'] });
    expect(code).toBe(0);
    expect(stdout.join('\n')).toMatch(/\d+\.\d+\.\d+/);
  });

  it('prints help that names the flags', async () => {
    const { code, stdout } = await run({ args: ['--help'] });
    expect(code).toBe(0);
    expect(stdout.join('\n')).toContain('--redis.url');
  });

  it('beats the environment', async () => {
    const { code } = await run({
      args: [...NO_REDIS, '--check-config', '--session.linger', '1s'],
      env: { COTURN_EXPORTER_SESSION_LINGER: '2s' },
    });
    expect(code).toBe(0);
  });
});

describe('a port that is taken', () => {
  it('ends the start with exit code 1 and one line that names the address', async () => {
    const port = await occupyPort();
    const { code, stdout, stderr } = await run({
      args: [...NO_REDIS, '--web.listen-address', `127.0.0.1:${port}`],
    });
    expect(code).toBe(1);
    expect(stderr).toHaveLength(1);
    expect(stderr[0]).toContain(`127.0.0.1:${port}`);
    expect(stdout).toEqual([]);
  });
});

async function run(options: ExporterOptions) {
  const { process } = new ExporterProcess(onTestFinished, options);
  const { code } = await process.exited;
  return { code, stdout: process.stdout, stderr: process.stderr };
}

function occupyPort(): Promise<number> {
  const server = createServer();
  onTestFinished(() => void server.close());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('No port'));
      else resolve(address.port);
    });
  });
}
