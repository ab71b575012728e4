import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { SavedSession } from '../../../src/domain/saved-session.ts';
import { writeStateFile } from '../../../src/state/state-file.ts';
import { createTempFolder } from '../../support/temp-folder.ts';
import { FINISHED, parseState, SAVED_AT, SESSION, stateText } from './saved.ts';

const HEADER = { savedAt: SAVED_AT, isFinal: true };

function statePath(): string {
  return join(createTempFolder(onTestFinished), 'state.jsonl');
}

function sessionsIn(path: string): readonly SavedSession[] {
  return parseState(readFileSync(path, 'utf8')).sessions;
}

function* many(count: number): Iterable<SavedSession> {
  for (let id = 0; id < count; id += 1) yield { ...SESSION, id: `${id}` };
}

function* failing(): Iterable<SavedSession> {
  yield SESSION;
  throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
}

describe('writeStateFile', () => {
  it.each([
    ['a link', (path: string, other: string) => symlinkSync(other, path)],
    ['a pipe', (path: string) => execFileSync('mkfifo', [path])],
  ])('does not write through %s that lies in its way', async (_what, lay) => {
    const path = statePath();
    const other = `${path}.other`;
    writeFileSync(other, 'precious');
    lay(`${path}.tmp`, other);
    await writeStateFile(path, [SESSION], HEADER);
    expect(readFileSync(other, 'utf8')).toBe('precious');
    expect(sessionsIn(path)).toEqual([SESSION]);
  });

  it('writes what can be read', async () => {
    const path = statePath();
    await writeStateFile(path, [SESSION, FINISHED], HEADER);
    expect(sessionsIn(path)).toEqual([SESSION, FINISHED]);
    expect(readFileSync(path, 'utf8')).toBe(stateText([SESSION, FINISHED]));
  });

  it.each([0, 1, 99, 100, 101, 1000])('writes %i sessions in slices', async (count) => {
    const path = statePath();
    await writeStateFile(path, many(count), HEADER);
    expect(sessionsIn(path).map(({ id }) => id)).toEqual(
      Array.from({ length: count }, (_, id) => `${id}`),
    );
  });

  it('makes a file for its owner alone, and leaves no other behind', async () => {
    const path = statePath();
    await writeStateFile(path, [SESSION], HEADER);
    await writeStateFile(path, [SESSION], HEADER);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(path, '..'))).toEqual(['state.jsonl']);
  });

  it('has a whole file in its place at any moment', async () => {
    const path = statePath();
    await writeStateFile(path, [SESSION], HEADER);
    const seen = new Set<number | undefined>();
    let isWriting = true;
    const watching = (async () => {
      while (isWriting) {
        seen.add(sessionsIn(path).length);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    for (let time = 0; time < 5; time += 1) await writeStateFile(path, many(300), HEADER);
    isWriting = false;
    await watching;
    seen.delete(1);
    seen.delete(300);
    expect([...seen]).toEqual([]);
  });

  it('lets the event loop turn while it writes', async () => {
    const path = statePath();
    let turns = 0;
    const counting = setInterval(() => {
      turns += 1;
    }, 0);
    onTestFinished(() => clearInterval(counting));
    await writeStateFile(path, many(5000), HEADER);
    expect(turns).toBeGreaterThan(10);
  });

  it('leaves the old file whole when a part of the new one cannot be written', async () => {
    const path = statePath();
    await writeStateFile(path, [SESSION], HEADER);
    const before = readFileSync(path);
    await expect(writeStateFile(path, failing(), HEADER)).rejects.toThrow('ENOSPC');
    expect(readFileSync(path)).toEqual(before);
    await writeStateFile(path, [FINISHED], HEADER);
    expect(sessionsIn(path)).toEqual([FINISHED]);
  });

  it('leaves the old file whole when a session cannot be saved', async () => {
    const path = statePath();
    await writeStateFile(path, [SESSION], HEADER);
    function* broken(): Iterable<SavedSession> {
      yield* many(250);
      throw new RangeError('broken');
    }
    await expect(writeStateFile(path, broken(), HEADER)).rejects.toThrow('broken');
    expect(readFileSync(path, 'utf8')).toBe(stateText([SESSION]));
  });

  it('leaves a folder in its place alone', async () => {
    const path = statePath();
    mkdirSync(path);
    await expect(writeStateFile(path, [SESSION], HEADER)).rejects.toThrow();
    expect(statSync(path).isDirectory()).toBe(true);
  });

  it('fails where there is no folder', async () => {
    await expect(writeStateFile(`${statePath()}/x/y`, [], HEADER)).rejects.toThrow('ENOENT');
  });

  it('leaves the old file whole when the last line does not fit on the disk', () => {
    const path = statePath();
    writeFileSync(path, stateText([SESSION]), { mode: 0o600 });
    const { stdout, stderr } = writeWithinOneKilobyte(path);
    expect(`${stdout}${stderr}`).toContain('EFBIG');
    expect(readFileSync(path, 'utf8')).toBe(stateText([SESSION]));
  });
});

/** Writes a state whose last line crosses 1024 bytes, in a process that may not write more. */
function writeWithinOneKilobyte(path: string): { stdout: string; stderr: string } {
  const plain: SavedSession = { ...SESSION, username: '', open: [] };
  const rest = Buffer.byteLength(stateText([plain])) - 4;
  const session = { ...plain, username: 'x'.repeat(1024 - rest) };
  const source = fileURLToPath(new URL('../../../src/state/state-file.ts', import.meta.url));
  const script = `import { writeStateFile } from ${JSON.stringify(source)};
    const session = JSON.parse(process.env.SESSION);
    await writeStateFile(process.env.STATE, [session], ${JSON.stringify(HEADER)}).then(
      () => console.log('written'), (error) => console.log(error.code));`;
  // Without the trap a signal would end the process at the limit.
  return spawnSync(
    'bash',
    [
      '-c',
      `trap '' XFSZ; ulimit -f 1; exec "$0" --import tsx --input-type=module -e "$SCRIPT"`,
      process.execPath,
    ],
    {
      encoding: 'utf8',
      env: {
        ...process.env,
        TSX_DISABLE_CACHE: '1',
        SCRIPT: script,
        STATE: path,
        SESSION: JSON.stringify(session),
      },
    },
  );
}
