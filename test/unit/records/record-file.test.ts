import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  createRecordFile,
  createStdout,
  linkName,
  type RecordFile,
} from '../../../src/records/record-file.ts';
import { RecordStats } from '../../../src/records/record-queue.ts';
import { createTempFolder } from '../../support/temp-folder.ts';

interface Scene {
  readonly folder: string;
  readonly path: string;
  readonly file: RecordFile;
  readonly stats: RecordStats;
  readonly clock: { nowMs: number };
  readonly told: string[];
  text(): string;
}

function createScene(): Scene {
  const folder = createTempFolder(onTestFinished);
  const path = join(folder, 'records.jsonl');
  return { folder, path, ...open(path), text: () => readFileSync(path, 'utf8') };
}

/** A file of records whose clock stands at noon, until told otherwise. */
function open(path: string): Pick<Scene, 'file' | 'stats' | 'clock' | 'told'> {
  const stats = new RecordStats();
  const clock = { nowMs: Date.UTC(2026, 10, 21, 12) };
  const told: string[] = [];
  const tell = (_fields: object, message = '') => void told.push(message);
  const unixMs = () => clock.nowMs;
  const file = createRecordFile({ path, unixMs, stats, log: { warn: tell, info: tell } });
  onTestFinished(() => file.close());
  return { file, stats, clock, told };
}

function bytes(text: string): Buffer {
  return Buffer.from(text);
}

describe('createRecordFile', () => {
  it('is named by its path', () => {
    const { file, path } = createScene();
    expect(file.name).toBe(path);
  });

  it('makes nothing before it is opened', () => {
    const { path } = createScene();
    expect(existsSync(path)).toBe(false);
  });

  it('makes an empty file when opened', async () => {
    const { file, text } = createScene();
    await file.open();
    await file.open();
    expect(text()).toBe('');
  });

  it('makes a file that only its owner can write and others cannot read', async () => {
    const { file, path } = createScene();
    const mask = process.umask(0);
    onTestFinished(() => void process.umask(mask));
    await file.open();
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('appends, and says how many bytes', async () => {
    const { file, text } = createScene();
    expect(await file.write(bytes('żółw\n'))).toBe(8);
    expect(await file.write(bytes('b\n'))).toBe(2);
    expect(text()).toBe('żółw\nb\n');
  });

  it('keeps what a file holds', async () => {
    const { file, path, text } = createScene();
    writeFileSync(path, 'old\n');
    await file.write(bytes('new\n'));
    expect(text()).toBe('old\nnew\n');
  });

  it('ends a line that another process left cut', async () => {
    const { file, path, text } = createScene();
    writeFileSync(path, 'old\ncut');
    await file.write(bytes('new\n'));
    expect(text()).toBe('old\ncut\nnew\n');
  });

  it('appends behind what others append meanwhile', async () => {
    const { file, path, text } = createScene();
    await file.write(bytes('a\n'));
    writeFileSync(path, 'other\n', { flag: 'a' });
    await file.write(bytes('b\n'));
    expect(text()).toBe('a\nother\nb\n');
  });

  it('is opened anew when told so, since it was renamed', async () => {
    const { file, path, folder, text, stats } = createScene();
    const rotated = join(folder, 'records.jsonl.1');
    await file.write(bytes('a\n'));
    renameSync(path, rotated);
    expect(await file.open(true)).toBe(true);
    await file.write(bytes('c\n'));
    expect(readFileSync(rotated, 'utf8')).toBe('a\n');
    expect(text()).toBe('c\n');
    expect(statSync(path).mode & 0o007).toBe(0);
    expect(stats.reopened).toEqual({ signal: 1, day: 0, replaced: 0, deleted: 0 });
  });

  it('goes on in the same file when opened anew without a rename', async () => {
    const { file, text } = createScene();
    await file.write(bytes('a\n'));
    await file.open(true);
    await file.open(true);
    await file.write(bytes('b\n'));
    expect(text()).toBe('a\nb\n');
  });

  it('stays open as long as its name leads to it', async () => {
    const { file, stats, told } = createScene();
    expect(await file.open()).toBe(false);
    await file.write(bytes('a\n'));
    expect(await file.open()).toBe(false);
    expect(Object.values(stats.reopened)).toEqual([0, 0, 0, 0]);
    expect(told).toEqual([]);
  });

  it.each([
    ['deleted', (path: string) => rmSync(path)],
    ['replaced', (path: string) => renameSync(path, `${path}.1`)],
    [
      'replaced',
      (path: string) => {
        renameSync(path, `${path}.1`);
        writeFileSync(path, 'theirs\n');
      },
    ],
  ] as const)('notices that it was %s, counts that and says so', async (reason, change) => {
    const { file, path, text, stats, told } = createScene();
    await file.open();
    await file.write(bytes('a\n'));
    change(path);
    expect(await file.open()).toBe(true);
    await file.write(bytes('b\n'));
    expect(text()).toMatch(/(^|\n)b\n$/);
    expect(stats.reopened).toEqual({ signal: 0, day: 0, replaced: 0, deleted: 0, [reason]: 1 });
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(reason);
  });

  it('begins a file a day, at midnight UTC, with a link to the newest', async () => {
    const folder = createTempFolder(onTestFinished);
    const { file, clock, stats, told } = open(join(folder, 's-%Y-%m-%d.jsonl'));
    await file.open();
    await file.write(bytes('a\n'));
    clock.nowMs = Date.UTC(2026, 10, 21, 23, 59, 59, 999);
    expect(await file.open()).toBe(false);
    expect(readlinkSync(join(folder, 's.jsonl'))).toBe('s-2026-11-21.jsonl');
    clock.nowMs += 1;
    expect(await file.open()).toBe(true);
    await file.write(bytes('b\n'));
    expect(readdirSync(folder).sort()).toEqual([
      's-2026-11-21.jsonl',
      's-2026-11-22.jsonl',
      's.jsonl',
    ]);
    expect(readFileSync(join(folder, 's-2026-11-21.jsonl'), 'utf8')).toBe('a\n');
    expect(readFileSync(join(folder, 's.jsonl'), 'utf8')).toBe('b\n');
    expect(stats.reopened).toMatchObject({ day: 1 });
    expect(told).toEqual(['a new day, a new record file']);
  });

  it('leaves a file alone that has the name of the link', async () => {
    const folder = createTempFolder(onTestFinished);
    writeFileSync(join(folder, 's.jsonl'), 'precious\n');
    const { file, told } = open(join(folder, 's-%F.jsonl'));
    await file.open();
    await file.write(bytes('a\n'));
    expect(readFileSync(join(folder, 's.jsonl'), 'utf8')).toBe('precious\n');
    expect(told).toEqual(['no link to the newest record file can be made']);
  });

  it('opens a pipe without waiting for its reader, and writes to it', async () => {
    const { file, path } = createScene();
    execFileSync('mkfifo', [path]);
    await expect(file.open()).rejects.toMatchObject({ code: 'ENXIO' });
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    onTestFinished(() => closeSync(reader));
    await file.open();
    await file.write(bytes('a\n'));
    expect(readSync(reader, Buffer.alloc(9))).toBe(2);
    expect(await file.open()).toBe(false);
  });

  it('refuses a socket', async () => {
    const { file, path } = createScene();
    const server = createServer().listen(path);
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    await expect(file.open()).rejects.toMatchObject({ code: 'EINVAL' });
  });

  it('tries to open again at each write', async () => {
    const { folder } = createScene();
    const later = join(folder, 'later');
    const { file } = open(join(later, 'records.jsonl'));
    await expect(file.write(bytes('a\n'))).rejects.toMatchObject({ code: 'ENOENT' });
    mkdirSync(later);
    expect(await file.write(bytes('a\n'))).toBe(2);
  });

  it('refuses a folder', async () => {
    const { folder } = createScene();
    await expect(open(folder).file.open()).rejects.toMatchObject({ code: 'EISDIR' });
  });

  it.skipIf(process.getuid?.() === 0)('refuses a folder that cannot be written', async () => {
    const { folder, file } = createScene();
    chmodSync(folder, 0o500);
    await expect(file.open()).rejects.toMatchObject({ code: 'EACCES' });
  });

  it('refuses a path in a folder that is none', async () => {
    const { path } = createScene();
    writeFileSync(path, '');
    const { file } = open(join(path, 'records.jsonl'));
    await expect(file.open()).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('closes twice, and before it was opened', async () => {
    const { file } = createScene();
    await file.close();
    await file.write(bytes('a\n'));
    await file.close();
    await file.close();
  });

  it.runIf(existsSync('/dev/full'))('says that a disk is full', async () => {
    const { file } = open('/dev/full');
    await expect(file.write(bytes('a\n'))).rejects.toMatchObject({ code: 'ENOSPC' });
  });

  it.runIf(existsSync('/proc/self/fd'))(
    'holds one descriptor, however often it is reopened',
    async () => {
      const { file, path } = createScene();
      const { readdirSync, readlinkSync } = await import('node:fs');
      const held = () =>
        readdirSync('/proc/self/fd').filter((fd) => {
          try {
            return readlinkSync(`/proc/self/fd/${fd}`) === path;
          } catch {
            return false;
          }
        }).length;
      for (let turn = 0; turn < 5; turn += 1) {
        await file.write(bytes('a\n'));
        expect(await file.open(true)).toBe(true);
      }
      await file.open();
      expect(held()).toBe(1);
      await file.close();
      expect(held()).toBe(0);
    },
  );
});

describe('linkName', () => {
  it.each([
    ['/var/log/sessions-%Y-%m-%d.jsonl', '/var/log/sessions.jsonl'],
    ['sessions.%F.jsonl', 'sessions.jsonl'],
    ['%Y%m%d_sessions', 'sessions'],
    ['a/%F.jsonl', 'a/newest.jsonl'],
    ['%F', 'newest'],
  ])('of %s is %s', (pattern, link) => {
    expect(linkName(pattern)).toBe(link);
  });
});

describe('createStdout', () => {
  it('is opened, reopened and closed without doing anything', async () => {
    const stdout = createStdout();
    expect(stdout.name).toBe('stdout');
    await stdout.open();
    expect(await stdout.open(true)).toBe(false);
    await stdout.close();
    expect(process.stdout.writable).toBe(true);
  });
});
