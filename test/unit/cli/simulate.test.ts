import { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runSimulate } from '../../../src/cli/simulate.ts';
import { until } from '../../support/until.ts';
import { FakeStatsdb } from '../simulator/fake-statsdb.ts';

const statsdb = new FakeStatsdb();
beforeAll(() => statsdb.start());
beforeEach(() => {
  statsdb.connections.length = 0;
});
afterAll(() => statsdb.stop());

class Collected extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

async function simulate(argv: readonly string[], signal = new AbortController().signal) {
  const [stdout, stderr] = [new Collected(), new Collected()];
  const code = await runSimulate(argv, { stdout, stderr, signal });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

function target(): string {
  return `--target=127.0.0.1:${statsdb.target.address.port}`;
}

const QUICK = ['--duration=200ms', '--speed=200', '--arrival-rate=2'];

describe('runSimulate', () => {
  it('publishes, and prints how much as JSON', async () => {
    const { code, stdout } = await simulate([target(), ...QUICK, '--json', '--sessions']);
    expect(code).toBe(0);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const truth = lines.at(-1);
    expect(truth).toMatchObject({ kind: 'truth', seed: 1, delivery: { lostEvents: 0, breaks: 0 } });
    const published = statsdb.commands('publish');
    const sum = Object.values<number>(truth.events).reduce((total, count) => total + count, 0);
    expect(published).toHaveLength(sum);
    expect(lines.filter(({ kind }) => kind === 'session')).toHaveLength(truth.calls.finished);
    expect(truth.calls.finished).toBeGreaterThan(10);
  });

  it('prints the truth as text', async () => {
    const { stdout } = await simulate([target(), ...QUICK, '--realms=2', '--crash-rate=200']);
    expect(stdout).toContain('realm realm2.example: ');
    expect(stdout).toContain('server 127.0.0.3 (4.6.1): ');
    expect(stdout).toMatch(/client side: received [1-9]\d* bytes in [1-9]\d* packets, sent/);
    expect(stdout).toContain('never told, client side: ');
  });

  it('goes on until it is told to stop, then hangs up', async () => {
    const ending = new AbortController();
    const running = simulate([target(), '--speed=100', '--json'], ending.signal);
    await until(() => statsdb.commands('publish').length, {
      what: 'events',
      isDone: (count) => count > 20,
    });
    ending.abort();
    const { code, stdout } = await running;
    expect(code).toBe(0);
    const { events } = JSON.parse(stdout);
    expect(events.deleted).toBe(events.new);
  });

  it('explains itself', async () => {
    const { code, stdout } = await simulate(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('--arrival-rate=NUMBER');
  });

  it.each([
    ['--servers=0', 'Cannot parse --servers "0": expected a whole number from 1 to 10000'],
    ['--serverz=1', 'Unknown flag "--serverz": did you mean --servers?'],
    ['--p2p-share=1.5', 'Cannot parse --p2p-share "1.5": expected a number from 0 to 1'],
    ['--bitrate=fast', 'Cannot parse --bitrate "fast": expected bits per second'],
    ['--realms=a/b', 'Cannot parse --realms "a/b": expected names separated by commas'],
    ['--realms=0', 'Cannot parse --realms "0": expected names separated by commas'],
    ['--flavour=4', 'Cannot parse --flavour "4": expected one of 4.5.0.8, 4.6.1, 4.17.1'],
    ['--target=redis', 'Cannot parse --target "redis": expected '],
    ['--target=rediss://:geheim@h', 'without TLS or Sentinel'],
  ])('refuses %s', async (flag, message) => {
    const { code, stderr } = await simulate([flag]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('geheim');
  });

  it('says so when nobody listens', async () => {
    const { code, stderr } = await simulate(['--target=127.0.0.1:1']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Cannot publish to 127\.0\.0\.1:1: .*ECONNREFUSED/);
  });
});
