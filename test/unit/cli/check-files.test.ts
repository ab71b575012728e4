import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkFiles } from '../../../src/cli/check-files.ts';
import { parseCommandLine } from '../../../src/config/command-line.ts';
import { createTempFolder } from '../../support/temp-folder.ts';

function check(...argv: string[]): Promise<void> {
  const command = parseCommandLine(['--check-config', ...argv], {});
  if (command.kind !== 'check-config') throw new Error(`Not ${command.kind}`);
  return checkFiles(command.config);
}

describe('checkFiles', () => {
  it('takes files that are there and files that can be made, and makes none', async () => {
    const folder = createTempFolder(onTestFinished);
    await check(
      '--records.file',
      join(folder, 's-%F.jsonl'),
      '--state.file',
      join(folder, 'state'),
    );
    expect(readdirSync(folder)).toEqual([]);
    writeFileSync(join(folder, 'records'), '');
    await check('--records.file', join(folder, 'records'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await check('--records.file', join(folder, 'pipe'));
    await check();
  });

  it.each(['--records.file', '--state.file'])(
    'refuses %s in a folder that is not there',
    async (flag) => {
      const path = join(createTempFolder(onTestFinished), 'nowhere', 'file');
      await expect(check(flag, path)).rejects.toThrow(
        `Cannot use ${flag} "${path}": expected a file that can be written (ENOENT)`,
      );
    },
  );

  it.each(['--records.file', '--state.file'])('refuses a folder as %s', async (flag) => {
    const path = createTempFolder(onTestFinished);
    mkdirSync(join(path, 'x'));
    await expect(check(flag, path)).rejects.toThrow(`Cannot use ${flag} "${path}"`);
  });

  it('refuses a state file that is none', async () => {
    const path = join(createTempFolder(onTestFinished), 'state');
    writeFileSync(path, 'precious');
    await expect(check('--state.file', path)).rejects.toThrow('it is not a state file');
  });
});

describe('flags that get in the way of each other', () => {
  it.each([
    [['--records.file=/a/x', '--state.file=/a/x'], '--state.file "/a/x"', '--records.file'],
    [['--records.file=/a/x.recorded', '--state.file=/a/x'], '--state.file', '--records.file'],
    [['--records.file=/a/../b/x.lock', '--state.file=/b/x'], '--state.file', '--records.file'],
    [
      ['--records.file=/a/p', '--statsdb.password-file=/a/p'],
      '--statsdb.password-file',
      '--records.file',
    ],
    [['--state.file=/a/w', '--web.config.file=/a/w'], '--web.config.file', '--state.file'],
  ])('are %j', (argv, flag, other) => {
    const read = () => parseCommandLine(argv, {}, { readFile: () => 'secret' });
    expect(read).toThrow(`Cannot use ${flag}`);
    expect(read).toThrow(`expected another file than that of ${other}`);
  });

  it.each([
    ['127.0.0.1:7000', '127.0.0.1:7000'],
    ['0.0.0.0:7000', '127.0.0.1:7000'],
    [':7000', '[::1]:7000'],
  ])('are the ports of %s and %s', (web, statsdb) => {
    const argv = [`--web.listen-address=${web}`, `--statsdb.listen-address=${statsdb}`];
    expect(() => parseCommandLine(argv, {})).toThrow(
      'expected another port than that of --statsdb.listen-address',
    );
  });

  it.each([
    ['127.0.0.1:0', '127.0.0.1:0'],
    ['127.0.0.1:7000', '127.0.0.2:7000'],
    ['127.0.0.1:7000', '127.0.0.1:7001'],
  ])('are not the ports of %s and %s', (web, statsdb) => {
    const argv = [`--web.listen-address=${web}`, `--statsdb.listen-address=${statsdb}`];
    expect(parseCommandLine(argv, {}).kind).toBe('run');
  });
});

describe('--print-config', () => {
  function print(argv: string[], env: Record<string, string> = {}): string {
    const command = parseCommandLine(['--print-config', ...argv], env);
    if (command.kind !== 'print-config') throw new Error(`Not ${command.kind}`);
    return command.text;
  }

  it('tells each value and where it came from', () => {
    const env = { COTURN_EXPORTER_LOG_LEVEL: 'debug', COTURN_EXPORTER_SESSION_LINGER: '9s' };
    const lines = print(['--session.linger=3s'], env).split('\n');
    expect(lines).toContain('--session.linger=3s  # --session.linger');
    expect(lines).toContain('--log.level=debug  # COTURN_EXPORTER_LOG_LEVEL');
    expect(lines).toContain('--user.max-series=10000  # default');
    expect(lines).toContain('--print-config=true  # --print-config');
  });

  it('shows no password of a URL', () => {
    const text = print(['--redis.url', 'redis://me:s3cret@h1/2', '--redis.url=redis://:t0p@h2']);
    expect(text).toContain('--redis.url=redis://***@h1/2  # --redis.url\n');
    expect(text).not.toMatch(/s3cret|t0p/);
  });

  it('is refused like a start when the configuration is wrong', () => {
    expect(() => print(['--shard.index=3'])).toThrow('Cannot use --shard.index');
  });
});
