import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What tests look at in a bill. */
export interface PrintedBill {
  readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>;
  readonly total: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** The bill that the built program prints of records, by user. Throws when it cannot read them all. */
export function billOf(records: ReadonlyArray<Readonly<Record<string, unknown>>>): PrintedBill {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [MAIN, 'report', '--format=json'],
    {
      encoding: 'utf8',
      input: records.map((record) => `${JSON.stringify(record)}\n`).join(''),
    },
  );
  if (status !== 0) throw new Error(`report ends with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}
