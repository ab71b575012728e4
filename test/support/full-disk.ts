import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Defer } from './cleanup.ts';
import { createTempFolder } from './temp-folder.ts';
import { TestProcess } from './test-process.ts';
import { until } from './until.ts';

/** A disk of 64 KiB of its own. */
export interface SmallDisk {
  /** Its folder, for every process of this machine that root runs. */
  readonly folder: string;
  /** Takes all space that is left. */
  fill(): void;
  /** Gives that space back. */
  free(): void;
}

/** Why {@link mountSmallDisk} cannot work here; undefined when it can. */
export function whyNoSmallDisk(): string | undefined {
  if (process.platform !== 'linux') return 'a small disk needs Linux';
  return process.getuid?.() === 0 ? undefined : 'a small disk needs root, for a mount of its own';
}

/**
 * A tmpfs in a mount namespace of its own: nobody else sees it, and it is gone with the process that
 * holds the namespace, however that ends. It is reached through that process' entry in /proc.
 */
export async function mountSmallDisk(defer: Defer): Promise<SmallDisk> {
  const mountPoint = createTempFolder(defer);
  const script = `mount -t tmpfs -o size=64k tmpfs '${mountPoint}' && echo $$ && exec sleep 600`;
  const holder = new TestProcess(defer, { command: 'unshare', args: ['-m', 'sh', '-c', script] });
  const pid = await until(() => holder.stdout[0] ?? '', {
    what: 'a tmpfs to be mounted',
    isDone: (line) => line !== '',
    show: () => holder.describe(),
  });
  const folder = join('/proc', pid, 'root', mountPoint);
  const filler = join(folder, 'filler');
  return {
    folder,
    fill: () => fillUp(filler),
    free: () => rmSync(filler, { force: true }),
  };
}

function fillUp(path: string): void {
  const fd = openSync(path, 'a');
  try {
    // Down to single bytes: the last page of a file may have room left.
    for (const size of [4096, 1]) {
      while (tryWrite(fd, Buffer.alloc(size))) {
        // Until the disk takes no more.
      }
    }
  } finally {
    closeSync(fd);
  }
}

function tryWrite(fd: number, bytes: Buffer): boolean {
  try {
    return writeSync(fd, bytes) > 0;
  } catch {
    return false;
  }
}
