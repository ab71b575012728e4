import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RecordJournal } from '../../../src/state/journal.ts';
import { createTempFolder } from '../../support/temp-folder.ts';

function stateFile(): string {
  return join(createTempFolder(onTestFinished), 'state.jsonl');
}

/** A journal, and another that reads what it wrote, as the next process does. */
function journalOf(path: string): {
  journal: RecordJournal;
  read: () => string[];
  text: () => string;
} {
  const journal = new RecordJournal(path);
  onTestFinished(() => journal.close());
  return {
    journal,
    read: () => [...new RecordJournal(path).read().recorded],
    text: () => readFileSync(`${path}.recorded`, 'utf8'),
  };
}

describe('RecordJournal', () => {
  it('is empty where there is none', () => {
    const { recorded, wasOpened } = new RecordJournal(stateFile()).read();
    expect([recorded.size, wasOpened]).toEqual([0, false]);
  });

  it('holds what was recorded, at once', () => {
    const { journal, read, text } = journalOf(stateFile());
    journal.add(['a', 'b']);
    expect(read()).toEqual(['a', 'b']);
    journal.add(['c']);
    expect(text()).toBe('a\nb\nc\n');
  });

  it('goes on with what a process before it left', () => {
    const path = stateFile();
    journalOf(path).journal.add(['a']);
    const { journal, read } = journalOf(path);
    journal.add(['b']);
    expect(read()).toEqual(['a', 'b']);
  });

  it('tells that a state file was opened', () => {
    const path = stateFile();
    const { journal } = journalOf(path);
    journal.add(['a']);
    journal.open();
    const { recorded, wasOpened } = new RecordJournal(path).read();
    expect([recorded.has('a'), wasOpened]).toEqual([true, true]);
  });

  it('is for its owner alone', () => {
    const path = stateFile();
    const { journal } = journalOf(path);
    const mode = () => statSync(`${path}.recorded`).mode & 0o777;
    journal.add(['a']);
    expect(mode()).toBe(0o600);
    journal.beginSnapshot();
    journal.endSnapshot();
    expect(mode()).toBe(0o600);
  });

  it('keeps after a snapshot only what was recorded since that began', () => {
    const { journal, read, text } = journalOf(stateFile());
    journal.open();
    journal.add(['before']);
    journal.beginSnapshot();
    journal.add(['meanwhile']);
    expect(read()).toEqual(['opened', 'before', 'meanwhile']);
    journal.endSnapshot();
    expect(text()).toBe('meanwhile\n');
    journal.add(['after']);
    expect(text()).toBe('meanwhile\nafter\n');
  });

  it('keeps everything when a snapshot failed', () => {
    const { journal, text } = journalOf(stateFile());
    journal.add(['a']);
    journal.beginSnapshot();
    journal.add(['b']);
    journal.beginSnapshot();
    journal.add(['c']);
    expect(text()).toBe('a\nb\nc\n');
    journal.endSnapshot();
    expect(text()).toBe('c\n');
  });

  it('passes over a last line that was cut', () => {
    const path = stateFile();
    writeFileSync(`${path}.recorded`, 'a\nb\nc-cut-sh');
    expect([...new RecordJournal(path).read().recorded].slice(0, 2)).toEqual(['a', 'b']);
  });

  it('begins a line of its own after one that was cut', () => {
    const path = stateFile();
    writeFileSync(`${path}.recorded`, 'a\nb-cut');
    const { journal, read } = journalOf(path);
    journal.add(['c']);
    expect(read()).toContain('c');
  });

  it('says so when it cannot be read', () => {
    const path = stateFile();
    mkdirSync(`${path}.recorded`);
    expect(() => new RecordJournal(path).read()).toThrow('not a regular file');
  });

  it('may be closed twice, and is opened again when needed', () => {
    const { journal, read } = journalOf(stateFile());
    journal.close();
    journal.add(['a']);
    journal.close();
    journal.close();
    journal.add(['b']);
    expect(read()).toEqual(['a', 'b']);
  });
});
