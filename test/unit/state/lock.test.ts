import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { StateLock } from '../../../src/state/lock.ts';
import { createTempFolder } from '../../support/temp-folder.ts';

function statePath(): string {
  return join(createTempFolder(onTestFinished), 'state');
}

function createLock(path: string): StateLock {
  const lock = new StateLock(path);
  onTestFinished(() => lock.release());
  return lock;
}

/** The lock of this process, with some of its fields changed. */
async function lockText(changes: Record<string, unknown>): Promise<string> {
  const path = statePath();
  await createLock(path).acquire();
  return JSON.stringify({ ...JSON.parse(readFileSync(`${path}.lock`, 'utf8')), ...changes });
}

describe.skipIf(process.platform !== 'linux')('StateLock', () => {
  it('keeps a second one out, which names the process that has it', async () => {
    const path = statePath();
    const first = createLock(path);
    await first.acquire();
    await first.acquire();
    await expect(createLock(path).acquire()).rejects.toThrow(
      `another process uses it (pid ${process.pid})`,
    );
    first.release();
    first.release();
    expect(existsSync(`${path}.lock`)).toBe(false);
    await createLock(path).acquire();
  });

  it('is not kept by a process that is dead', async () => {
    const path = statePath();
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child, 'spawn');
    // The fields of /proc/<pid>/stat after the name; the 20th is the start.
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    writeFileSync(`${path}.lock`, await lockText({ pid: child.pid, started }));
    await expect(createLock(path).acquire()).rejects.toThrow(`(pid ${child.pid})`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await createLock(path).acquire();
  });

  it('is not kept by another process with the number of a dead one', async () => {
    const path = statePath();
    writeFileSync(`${path}.lock`, await lockText({ started: '1' }));
    await createLock(path).acquire();
    expect(readFileSync(`${path}.lock`, 'utf8')).not.toContain('"started":"1"');
  });

  it.each(['', 'hello', '{}', '[]', '{"pid":"1"}'])('is not kept by a file of %j', async (text) => {
    const path = statePath();
    writeFileSync(`${path}.lock`, text);
    await createLock(path).acquire();
  });

  it('is kept from afar as long as somebody touches it', async () => {
    const path = statePath();
    writeFileSync(`${path}.lock`, await lockText({ place: 'another machine' }));
    let seconds = 1;
    const touching = setInterval(() => {
      seconds += 1;
      utimesSync(`${path}.lock`, seconds, seconds);
    }, 100);
    onTestFinished(() => clearInterval(touching));
    await expect(createLock(path).acquire()).rejects.toThrow('another process uses it');
    clearInterval(touching);
    await createLock(path).acquire();
  });

  it('is given to one of many that find it abandoned', async () => {
    const path = statePath();
    writeFileSync(`${path}.lock`, await lockText({ started: '1' }));
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => createLock(path).acquire()),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('does not follow a link', async () => {
    const path = statePath();
    writeFileSync(`${path}.other`, 'precious');
    symlinkSync(`${path}.other`, `${path}.lock`);
    await expect(createLock(path).acquire()).rejects.toThrow('ELOOP');
    expect(readFileSync(`${path}.other`, 'utf8')).toBe('precious');
  });

  it('says what the system says where it cannot be made', async () => {
    await expect(createLock(join(statePath(), 'nowhere')).acquire()).rejects.toThrow('ENOENT');
  });
});
