import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { recentRecordIds } from '../../../src/records/record-file.ts';
import { createTempFolder } from '../../support/temp-folder.ts';

const NOON_MS = Date.UTC(2026, 10, 21, 12);

function recordFile(text: string): string {
  const path = join(createTempFolder(onTestFinished), 'records.jsonl');
  writeFileSync(path, text);
  return path;
}

function idsIn(path: string): ReadonlySet<string> {
  return recentRecordIds(path, NOON_MS);
}

function line(id: string, filler = ''): string {
  return `${JSON.stringify({ event: 'session_finished', session_id: id, filler })}\n`;
}

describe('recentRecordIds', () => {
  it('gives the ids of the records in a file', () => {
    expect([...idsIn(recordFile(line('a') + line('b')))]).toEqual(['a', 'b']);
  });

  it.each([
    ['there is no file', '/nonexistent/records.jsonl'],
    ['the file is a folder without leave', '/proc/1/mem'],
  ])('gives nothing when %s', (_what, path) => {
    expect(idsIn(path).size).toBe(0);
  });

  it('gives nothing for an empty file', () => {
    expect(idsIn(recordFile('')).size).toBe(0);
  });

  it('passes over a last line that was cut', () => {
    expect([...idsIn(recordFile(line('a') + line('b').slice(0, -9)))]).toEqual(['a']);
  });

  it.each(['hello', '{}', 'null', '[]', '7', '"text"', '{"session_id":7}', '{"session_id":null}'])(
    'passes over the line %s',
    (odd) => {
      expect([...idsIn(recordFile(`${odd}\n${line('a')}\n\n`))]).toEqual(['a']);
    },
  );

  it('looks at the last megabyte only, and passes over the line it begins in', () => {
    const filler = 'é'.repeat(500);
    const size = Buffer.byteLength(line('0000', filler));
    const ids = Array.from({ length: 3000 }, (_, at) => String(at).padStart(4, '0'));
    const found = [...idsIn(recordFile(ids.map((id) => line(id, filler)).join('')))];
    const whole = Math.floor((1024 * 1024) / size);
    expect(found).toEqual(ids.slice(-whole));
  });

  it('looks at today and yesterday where there is a file a day', () => {
    const folder = createTempFolder(onTestFinished);
    for (const day of ['2026-11-19', '2026-11-20', '2026-11-21']) {
      writeFileSync(join(folder, `s-${day}.jsonl`), line(day));
    }
    expect([...idsIn(join(folder, 's-%Y-%m-%d.jsonl'))]).toEqual(['2026-11-20', '2026-11-21']);
  });

  it('gives nothing for a folder', () => {
    const path = createTempFolder(onTestFinished);
    mkdirSync(join(path, 'x'));
    expect(idsIn(path).size).toBe(0);
  });
});
