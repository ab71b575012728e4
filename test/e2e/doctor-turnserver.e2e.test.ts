import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ExporterProcess, startExporter } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { createTempFolder } from '../support/temp-folder.ts';

describe('doctor --turnserver-conf', () => {
  it('finds the exporter that redis-statsdb points at', async () => {
    const { port } = await runExporter();
    const { code, lines } = await doctor(`redis-statsdb="ip=127.0.0.1 port=${port}"`);
    expect(lines).toEqual([
      `ok    redis-statsdb: line 2: 127.0.0.1:${port}, database 0`,
      `ok    exporter: coturn-exporter answers at 127.0.0.1:${port} and takes the password`,
    ]);
    expect(code).toBe(0);
  });

  it('finds a wrong password, and never shows it', async () => {
    const { port } = await runExporter('right');
    for (const word of ['password=wrong', '']) {
      const { code, lines } = await doctor(`redis-statsdb="ip=127.0.0.1 ${word} port=${port}"`);
      expect(lines[1]).toMatch(/^fail {2}exporter: the password is refused at .* - write the /);
      expect(lines.join()).not.toContain('wrong');
      expect(code).toBe(1);
    }
    const { code } = await doctor(`redis-statsdb="ip=127.0.0.1 password=right port=${port}"`);
    expect(code).toBe(0);
  });

  it.each([
    { what: 'no redis-statsdb', conf: '', found: 'redis-statsdb: is not set' },
    {
      what: 'nobody there',
      conf: 'redis-statsdb="ip=127.0.0.1 port=1"',
      found: 'exporter: nobody listens at 127.0.0.1:1',
    },
  ])('prints the line to put there: $what', async ({ conf, found }) => {
    const { code, lines } = await doctor(conf, ['--statsdb.listen-address=10.0.0.5:6390']);
    expect(lines.at(-1)).toContain(`fail  ${found} - `);
    expect(lines.at(-1)).toMatch(/redis-statsdb="ip=10\.0\.0\.5 port=6390"$/);
    expect(code).toBe(1);
  });

  it('tells a Redis from an exporter, and how to let the exporter subscribe to it', async () => {
    const { port } = await startRedisServer(onTestFinished);
    const { code, lines } = await doctor(`redis-statsdb="ip=127.0.0.1 dbname=2 port=${port}"`);
    expect(lines[1]).toMatch(/^warn {2}exporter: a Redis \d[\d.]* answers at /);
    expect(lines[1]).toContain(`start the exporter with --redis.url redis://127.0.0.1:${port}/2,`);
    expect(code).toBe(0);
  });

  it('says which of several lines holds, and what coturn may not understand', async () => {
    const { port } = await runExporter();
    const conf = `redis-statsdb="ip=127.0.0.1 port=1"\nredis-statsdb="ip=127.0.0.1 prot=2 port=${port}"`;
    const { lines } = await doctor(conf);
    expect(lines).toEqual([
      expect.stringContaining('warn  redis-statsdb: set 2 times, line 3: '),
      'warn  words: coturn may refuse the line for prot - leave out prot',
      expect.stringContaining('ok    exporter: '),
    ]);
  });

  it('ends with 2 for a file that cannot be read', async () => {
    const args = ['doctor', '--turnserver-conf', '/no/such/file'];
    const { process } = new ExporterProcess(onTestFinished, { args });
    expect((await process.exited).code).toBe(2);
    expect(process.stderr).toEqual([expect.stringContaining('"/no/such/file"')]);
  });
});

async function doctor(conf: string, args: readonly string[] = []) {
  const file = join(createTempFolder(onTestFinished), 'turnserver.conf');
  writeFileSync(file, `realm=example.org\n${conf}\n`);
  const { process } = new ExporterProcess(onTestFinished, {
    args: ['doctor', '--turnserver-conf', file, ...args],
  });
  const { code } = await process.exited;
  return { code, lines: process.stdout };
}

async function runExporter(password?: string): Promise<{ port: number }> {
  const { first: port } = await claimPorts(onTestFinished);
  const args = ['--statsdb.listen-address', `127.0.0.1:${port}`];
  if (password !== undefined) {
    const file = join(createTempFolder(onTestFinished), 'password');
    writeFileSync(file, password);
    args.push('--statsdb.password-file', file);
  }
  await startExporter(onTestFinished, { args });
  return { port };
}
