import { readFileSync } from 'node:fs';
import { checkRecord } from './record-schema.ts';

/** The fields of a session record that tests look at one by one; all others are there too. */
export interface RecordLine {
  readonly [field: string]: unknown;
  readonly session_id?: unknown;
  readonly realm?: unknown;
  readonly username?: unknown;
  readonly start?: unknown;
  readonly end?: unknown;
  readonly duration_seconds?: unknown;
  readonly relayed?: unknown;
  readonly peer_sent_bytes?: unknown;
}

/** The JSON object on a line; undefined when it is anything else. */
export function parseJsonObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The JSON objects of a file, one a line. Throws on a line that is none, and on a session record that
 * is not as its schema says.
 */
export function readJsonLines(file: string): Array<Record<string, unknown>> {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const value = parseJsonObject(line);
      if (value === undefined) throw new Error(`Not a JSON object in ${file}: ${line}`);
      checkRecord(value);
      return value;
    });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
