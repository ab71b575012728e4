import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startRedisServer } from '../support/redis-server.ts';
import { TestProcess } from '../support/test-process.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** Collects garbage all the time, as a long run of the real one does now and then. */
const COLLECTING = 'data:text/javascript,setInterval(globalThis.gc,20).unref()';

describe('doctor on a Redis where nobody publishes', () => {
  it('ends after its wait, whatever the garbage collector takes', async () => {
    const redis = await startRedisServer(onTestFinished);
    const doctor = new TestProcess(onTestFinished, {
      command: process.execPath,
      args: [
        ...['--expose-gc', '--import', COLLECTING, MAIN, 'doctor', '--doctor.wait', '3s'],
        ...['--redis.url', `redis://127.0.0.1:${redis.port}`],
      ],
      env: process.env,
    });
    const tooLong = new Promise<'still running'>((resolve) => {
      setTimeout(() => resolve('still running'), 20_000).unref();
    });
    expect(await Promise.race([doctor.exited, tooLong])).toEqual({ code: 0, signal: null });
    expect(doctor.stdout.join('\n')).toContain('none seen in 3s');
  }, 40_000);
});
