import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ExporterProcess } from '../support/exporter-process.ts';
import { until } from '../support/until.ts';

const FREE_PORTS = [
  ...['--web.listen-address', '127.0.0.1:0'],
  ...['--statsdb.listen-address', '127.0.0.1:0'],
];

describe('demo', () => {
  it('shows both pages and first records within 15 seconds, and ends by Ctrl-C', async () => {
    const startedMs = Date.now();
    const demo = launch(FREE_PORTS);
    const { landingPage, metrics } = await readHints(demo);
    expect(await textOf(landingPage)).toContain('coturn-exporter');
    expect(await textOf(metrics)).toContain('coturn_exporter_build_info{');

    const records = await until(() => demo.records, {
      what: 'the first records',
      timeoutMs: startedMs + 15_000 - Date.now(),
      isDone: (seen) => seen.length >= 2,
    });
    expect(records[0]).toMatchObject({ event: 'session_finished', schema: 1 });

    const stoppedMs = Date.now();
    demo.process.kill('SIGINT');
    expect(await demo.process.exited).toEqual({ code: 0, signal: null });
    expect(Date.now() - stoppedMs).toBeLessThan(5_000);
    expect(new Set(demo.records.map(({ realm }) => realm)).size).toBeGreaterThan(1);
    expect(new Set(demo.records.map(({ relayed }) => relayed))).toEqual(new Set([true, false]));
    expect(demo.records.every(({ reason }) => reason === 'deleted')).toBe(true);
    expect(demo.log).toEqual([]);
  }, 30_000);

  it('ends by SIGTERM too, before anybody has called', async () => {
    const demo = launch(FREE_PORTS);
    await readHints(demo);
    demo.process.kill('SIGTERM');
    expect(await demo.process.exited).toEqual({ code: 0, signal: null });
  });

  it('takes free ports where the usual ones are taken, and says so', async () => {
    await Promise.all([occupy(10_641), occupy(6380)]);
    const demo = launch([]);
    const { landingPage } = await readHints(demo);
    expect(await textOf(landingPage)).toContain('coturn-exporter');
    const text = demo.process.stderr.join('\n');
    expect(text).toContain('127.0.0.1:10641 is taken');
    expect(text).toContain('127.0.0.1:6380 is taken');
  });

  it('does not start on a chosen port that is taken', async () => {
    const port = await occupy(0);
    const demo = launch([...FREE_PORTS.slice(2), '--web.listen-address', `127.0.0.1:${port}`]);
    expect(await demo.process.exited).toEqual({ code: 1, signal: null });
    expect(demo.process.stderr).toEqual([expect.stringContaining(`127.0.0.1:${port}`)]);
  });

  it('refuses unknown flags', async () => {
    const demo = launch(['--no-such-flag']);
    expect(await demo.process.exited).toEqual({ code: 2, signal: null });
    expect(demo.process.stderr).toEqual([expect.stringContaining('--no-such-flag')]);
  });
});

describe('--help', () => {
  it('names the commands', async () => {
    const { process } = new ExporterProcess(onTestFinished, { args: ['--help'] });
    expect(await process.exited).toEqual({ code: 0, signal: null });
    expect(process.stdout).toContainEqual(expect.stringMatching(/^ {2}demo {2,}\w/));
    expect(process.stdout).toContainEqual(expect.stringMatching(/^ {2}simulate {2,}\w/));
  });

  it('shows the defaults of the demo, which are its own', async () => {
    const { process } = new ExporterProcess(onTestFinished, { args: ['demo', '--help'] });
    expect(await process.exited).toEqual({ code: 0, signal: null });
    const text = process.stdout.join(' ').replaceAll(/ +/g, ' ');
    expect(text).toMatch(/--session\.linger=DURATION [^()]*\(default: 1s\)/);
    expect(text).toMatch(/--web\.listen-address=HOST:PORT [^()]*\(default: 127\.0\.0\.1:10641\)/);
  });

  it.each(['demo', 'simulate'])('explains %s', async (command) => {
    const { process } = new ExporterProcess(onTestFinished, { args: [command, '--help'] });
    expect(await process.exited).toEqual({ code: 0, signal: null });
    expect(process.stdout[0]).toBe(`Usage: coturn-exporter ${command} [flags]`);
  });
});

function launch(args: readonly string[]): ExporterProcess {
  return new ExporterProcess(onTestFinished, { args: ['demo', ...args] });
}

async function readHints({ process }: ExporterProcess) {
  const text = await until(() => process.stderr.join('\n'), {
    what: 'the demo to say where to look',
    isDone: (seen) => seen.includes('Ctrl-C'),
    show: () => process.describe(),
  });
  const [, landingPage] = /^ +Landing page +(\S+)$/m.exec(text) ?? [];
  const [, metrics] = /^ +Metrics +(\S+)$/m.exec(text) ?? [];
  if (landingPage === undefined || metrics === undefined) throw new Error(`No URLs in: ${text}`);
  return { landingPage, metrics };
}

async function textOf(url: string): Promise<string> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return await response.text();
}

/** Listens on a port; leaves it alone when somebody else does already. */
function occupy(port: number): Promise<number> {
  const server = createServer();
  onTestFinished(() => void server.close());
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(port);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('No port'));
      else resolve(address.port);
    });
  });
}
