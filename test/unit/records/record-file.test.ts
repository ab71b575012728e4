import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  createRecordFile,
  createStdout,
  type RecordFile,
} from '../../../src/records/record-file.ts';
import { createTempFolder } from '../../support/temp-folder.ts';

interface Scene {
  readonly folder: string;
  readonly path: string;
  readonly file: RecordFile;
  text(): string;
}

function createScene(): Scene {
  const folder = createTempFolder(onTestFinished);
  const path = join(folder, 'records.jsonl');
  const file = createRecordFile(path);
  onTestFinished(() => file.close());
  return { folder, path, file, text: () => readFileSync(path, 'utf8') };
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
    await file.openNow();
    await file.openNow();
    expect(text()).toBe('');
  });

  it('makes a file that only its owner can write and others cannot read', async () => {
    const { file, path } = createScene();
    const mask = process.umask(0);
    onTestFinished(() => void process.umask(mask));
    await file.openNow();
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

  it('goes on in a renamed file until it is reopened', async () => {
    const { file, path, folder, text } = createScene();
    const rotated = join(folder, 'records.jsonl.1');
    await file.write(bytes('a\n'));
    renameSync(path, rotated);
    await file.write(bytes('b\n'));
    expect(existsSync(path)).toBe(false);
    file.reopen();
    await file.write(bytes('c\n'));
    expect(readFileSync(rotated, 'utf8')).toBe('a\nb\n');
    expect(text()).toBe('c\n');
    expect(statSync(path).mode & 0o007).toBe(0);
  });

  it('makes the new file of a rotation when opened', async () => {
    const { file, path, folder, text } = createScene();
    await file.write(bytes('a\n'));
    renameSync(path, join(folder, 'rotated'));
    file.reopen();
    await file.openNow();
    expect(text()).toBe('');
  });

  it('goes on in the same file when reopened without a rename', async () => {
    const { file, text } = createScene();
    await file.write(bytes('a\n'));
    file.reopen();
    file.reopen();
    await file.write(bytes('b\n'));
    expect(text()).toBe('a\nb\n');
  });

  it('tries to open again at each write', async () => {
    const { folder } = createScene();
    const later = join(folder, 'later');
    const file = createRecordFile(join(later, 'records.jsonl'));
    onTestFinished(() => file.close());
    await expect(file.write(bytes('a\n'))).rejects.toMatchObject({ code: 'ENOENT' });
    mkdirSync(later);
    expect(await file.write(bytes('a\n'))).toBe(2);
  });

  it('refuses a folder', async () => {
    const { folder } = createScene();
    await expect(createRecordFile(folder).openNow()).rejects.toMatchObject({ code: 'EISDIR' });
  });

  it.skipIf(process.getuid?.() === 0)('refuses a folder that cannot be written', async () => {
    const { folder, file } = createScene();
    chmodSync(folder, 0o500);
    await expect(file.openNow()).rejects.toMatchObject({ code: 'EACCES' });
  });

  it('refuses a path in a folder that is none', async () => {
    const { path } = createScene();
    writeFileSync(path, '');
    const file = createRecordFile(join(path, 'records.jsonl'));
    await expect(file.openNow()).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('closes twice, and before it was opened', async () => {
    const { file } = createScene();
    await file.close();
    await file.write(bytes('a\n'));
    await file.close();
    await file.close();
  });

  it.runIf(existsSync('/dev/full'))('says that a disk is full', async () => {
    const file = createRecordFile('/dev/full');
    onTestFinished(() => file.close());
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
        file.reopen();
      }
      await file.openNow();
      expect(held()).toBe(1);
      await file.close();
      expect(held()).toBe(0);
    },
  );
});

describe('createStdout', () => {
  it('is opened, reopened and closed without doing anything', async () => {
    const stdout = createStdout();
    expect(stdout.name).toBe('stdout');
    await stdout.openNow();
    stdout.reopen();
    await stdout.close();
    expect(process.stdout.writable).toBe(true);
  });
});
