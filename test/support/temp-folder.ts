import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Defer } from './cleanup.ts';

/** A new empty folder, removed at the end. */
export function createTempFolder(defer: Defer): string {
  const folder = mkdtempSync(join(tmpdir(), 'coturn-exporter-'));
  defer(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
