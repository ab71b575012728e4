import { describe, expect, it } from 'vitest';
import { releaseNotes } from '../../../deploy/package/notes.ts';

const CHANGELOG = `# Changelog

## Unreleased

- new

## 1.2.3 (2026-12-01)

- [FIX] one
- [FIX] two

## 1.2.2

## 1.2.1

- old
`;

describe('releaseNotes', () => {
  it.each([
    { version: '1.2.3', notes: '- [FIX] one\n- [FIX] two\n' },
    { version: '1.2.1', notes: '- old\n' },
  ])('gives what the changelog says of $version', ({ version, notes }) => {
    expect(releaseNotes(CHANGELOG, version)).toBe(notes);
  });

  it.each(['1.2', '1.2.2', '1.2.4'])('refuses to release %s without a word', (version) => {
    expect(() => releaseNotes(CHANGELOG, version)).toThrow(version);
  });
});
