import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { SavedSession } from '../../../src/domain/saved-session.ts';
import { checkState, readState, type StateSummary } from '../../../src/state/state-file.ts';
import { renderSession } from '../../../src/state/state-format.ts';
import { createTempFolder } from '../../support/temp-folder.ts';
import { FINISHED, SAVED_AT, SESSION, stateText } from './saved.ts';

function statePath(text?: string): string {
  const path = join(createTempFolder(onTestFinished), 'state.jsonl');
  if (text !== undefined) writeFileSync(path, text);
  return path;
}

async function read(
  path: string,
): Promise<
  StateSummary & { readonly sessions: readonly SavedSession[]; readonly savedAt: string }
> {
  const sessions: SavedSession[] = [];
  let savedAt = '';
  const summary = await readState(path, {
    onHeader: (header) => {
      savedAt = header.savedAt;
    },
    onSession: (session) => sessions.push(session),
  });
  if (summary === undefined) throw new Error('There is no state file');
  return { ...summary, sessions, savedAt };
}

const TEXT = stateText([SESSION, FINISHED]);
const [HEADER = '', ...LINES] = TEXT.trimEnd().split('\n');

function lineOf(session: SavedSession): string {
  return renderSession(session).trimEnd();
}

describe('readState', () => {
  it('gives the header first, then each session', async () => {
    expect(await read(statePath(TEXT))).toEqual({
      savedAt: SAVED_AT,
      sessions: [SESSION, FINISHED],
      badLines: 0,
      isCut: false,
    });
  });

  it('gives nothing where there is no file', async () => {
    const reader = { onHeader: () => undefined, onSession: () => undefined };
    expect(await readState(statePath(), reader)).toBeUndefined();
  });

  it('reads lines that cross the borders of what is read at once', async () => {
    const sessions = Array.from({ length: 3_000 }, (_, id) => ({
      ...SESSION,
      id: `${id}`,
      username: 'żółw '.repeat(id % 97),
    }));
    const found = await read(statePath(stateText(sessions)));
    expect(found.sessions).toEqual(sessions);
    expect(found).toMatchObject({ badLines: 0, isCut: false });
  });

  it.each([
    ['no JSON', '{"id":'],
    ['something else', '{"event":"session_finished"}'],
    ['nothing', ''],
    ['a second header', HEADER],
    ['a session that was damaged', lineOf(SESSION).replace('1700000000000', '"x"')],
  ])('sets a line aside that is %s, and reads the others', async (_what, bad) => {
    const lines = [HEADER, LINES[0], bad, lineOf({ ...SESSION, id: 'x' }), '{"end":3}'];
    const path = statePath(`${lines.join('\n')}\n`);
    const found = await read(path);
    expect(found.sessions.map(({ id }) => id)).toEqual([SESSION.id, 'x']);
    expect(found).toMatchObject({ badLines: 1, isCut: false });
    expect(readFileSync(`${path}.bad`, 'utf8')).toBe(`${bad}\n`);
    expect(statSync(`${path}.bad`).mode & 0o777).toBe(0o600);
    await read(path);
    expect(readFileSync(`${path}.bad`, 'utf8')).toBe(`${bad}\n${bad}\n`);
  });

  it.each(
    Array.from({ length: TEXT.length - HEADER.length - 1 }, (_, at) => HEADER.length + 1 + at),
  )('reads what is whole of a file that was cut at %i', async (length) => {
    const found = await read(statePath(TEXT.slice(0, length)));
    const isWhole = length >= TEXT.length - 1;
    expect(found.isCut || found.badLines > 0).toBe(!isWhole);
    const bounds = [SESSION, FINISHED].map(lineOf);
    const starts = bounds.map((line) => TEXT.indexOf(line) + line.length);
    expect(found.sessions).toHaveLength(starts.filter((end) => end <= length).length);
  });

  it('takes an empty file for one that was cut', async () => {
    expect(await read(statePath(''))).toMatchObject({ sessions: [], badLines: 0, isCut: true });
  });

  it('bears a line without end', async () => {
    const path = statePath(`${HEADER}\n${LINES[0]}\n${'x'.repeat(40 * 1024 * 1024)}`);
    const found = await read(path);
    expect(found.sessions).toEqual([SESSION]);
    expect(found).toMatchObject({ badLines: 1, isCut: true });
  });

  it.each([
    ['a foreign file', '[Unit]\nDescription=not ours\n'],
    ['a file of binary', '\u0000\u0001\ufffd\n'],
    ['a file of a newer version', TEXT.replace('"version":3', '"version":4')],
  ])('refuses %s by name, and does not touch it', async (_what, text) => {
    const path = statePath(text);
    const { mtimeMs } = statSync(path);
    await expect(read(path)).rejects.toThrow(
      /^Cannot use --state.file ".*": .*; it is left as it is, expected a state file or none$/,
    );
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(statSync(path).mtimeMs).toBe(mtimeMs);
    expect(readdirSync(join(path, '..'))).toEqual(['state.jsonl']);
  });

  it('refuses a folder and a pipe, without waiting', async () => {
    const folder = statePath();
    mkdirSync(folder);
    const pipe = statePath();
    execFileSync('mkfifo', [pipe]);
    for (const path of [folder, pipe]) {
      await expect(read(path)).rejects.toThrow('it is not a regular file');
    }
  });
});

describe('checkState', () => {
  it('takes a state file, whatever its lines, and none', async () => {
    await checkState(statePath(TEXT));
    await checkState(statePath(`${HEADER}\nbad\n`));
    await checkState(statePath());
  });

  it('refuses what is not one, and sets nothing aside', async () => {
    const path = statePath('hello\n');
    await expect(checkState(path)).rejects.toThrow('it is not a state file of coturn-exporter');
    expect(existsSync(`${path}.bad`)).toBe(false);
  });
});
