import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { recentRecordIds } from '../../../src/records/record-file.ts';
import { createTempFolder } from '../../support/temp-folder.ts';

function recordFile(text: string): string {
  const path = join(createTempFolder(onTestFinished), 'records.jsonl');
  writeFileSync(path, text);
  return path;
}

function line(id: string, filler = ''): string {
  return `${JSON.stringify({ event: 'session_finished', session_id: id, filler })}\n`;
}

describe('recentRecordIds', () => {
  it('gives the ids of the records in a file', () => {
    expect([...recentRecordIds(recordFile(line('a') + line('b')))]).toEqual(['a', 'b']);
  });

  it.each([
    ['there is no file', '/nonexistent/records.jsonl'],
    ['the file is a folder without leave', '/proc/1/mem'],
  ])('gives nothing when %s', (_what, path) => {
    expect(recentRecordIds(path).size).toBe(0);
  });

  it('gives nothing for an empty file', () => {
    expect(recentRecordIds(recordFile('')).size).toBe(0);
  });

  it('passes over a last line that was cut', () => {
    expect([...recentRecordIds(recordFile(line('a') + line('b').slice(0, -9)))]).toEqual(['a']);
  });

  it.each(['hello', '{}', 'null', '[]', '7', '"text"', '{"session_id":7}', '{"session_id":null}'])(
    'passes over the line %s',
    (odd) => {
      expect([...recentRecordIds(recordFile(`${odd}\n${line('a')}\n\n`))]).toEqual(['a']);
    },
  );

  it('looks at the last megabyte only, and passes over the line it begins in', () => {
    const filler = 'é'.repeat(500);
    const size = Buffer.byteLength(line('0000', filler));
    const ids = Array.from({ length: 3000 }, (_, at) => String(at).padStart(4, '0'));
    const found = [...recentRecordIds(recordFile(ids.map((id) => line(id, filler)).join('')))];
    const whole = Math.floor((1024 * 1024) / size);
    expect(found).toEqual(ids.slice(-whole));
  });

  it('gives nothing for a folder', () => {
    const path = createTempFolder(onTestFinished);
    mkdirSync(join(path, 'x'));
    expect(recentRecordIds(path).size).toBe(0);
  });
});
