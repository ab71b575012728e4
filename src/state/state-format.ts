import type { SavedSession } from '../domain/saved-session.ts';
import { isNamed, LAST_MS, type Named, rowByNames, rowOf, sessionOf } from './session-row.ts';

/** Told apart from every other file by its first line. */
export const STATE_FORMAT = 'coturn-exporter-state';

/** The version that is written. Older ones are read, newer ones are refused. */
export const STATE_VERSION = 3;

/** From here on a line holds values alone; before, an object with names. */
const ROWS_VERSION = 3;

/** The first line of a state file. */
export interface StateHeader {
  readonly format: typeof STATE_FORMAT;
  readonly version: number;
  /** RFC 3339. */
  readonly savedAt: string;
  /**
   * Saved at an orderly stop, when nothing more was counted after: what later totals have more than
   * the sums was counted by nobody.
   */
  readonly isFinal: boolean;
  /** Tells by which key its names are hidden; missing where they are not. */
  readonly names?: string | undefined;
}

/** The first line of a state file, with its line feed. */
export function renderHeader(header: Omit<StateHeader, 'format' | 'version'>): string {
  return `${JSON.stringify({ format: STATE_FORMAT, version: STATE_VERSION, ...header })}\n`;
}

/** The line of a session, with its line feed. */
export function renderSession(session: SavedSession): string {
  return `${JSON.stringify(rowOf(session))}\n`;
}

/** The last line, with its line feed: a file without it was cut. */
export function renderEnd(sessions: number): string {
  return `${JSON.stringify({ end: sessions })}\n`;
}

/** What a line after the first one is. */
export type StateLine =
  | { readonly kind: 'session'; readonly session: SavedSession }
  | { readonly kind: 'end'; readonly sessions: number };

/**
 * Reads the first line of a state file.
 *
 *     {"format":"coturn-exporter-state","version":3,"savedAt":"…","isFinal":true}
 *
 * @throws {SyntaxError} whose message tells what is wrong, to go after the name of the file
 */
export function parseStateHeader(line: string): StateHeader {
  const fields = parseLine(line);
  if (!isNamed(fields)) throw new SyntaxError('it is not a state file of coturn-exporter');
  return parseHeader(fields);
}

/**
 * Reads any other line: a session, or the end, which tells how many there were. Undefined for what
 * is neither in a file of this version. Never throws.
 *
 *     ["…",…,[["turn/…",…]]]
 *     {"end":1}
 */
export function parseStateLine(line: string, version: number): StateLine | undefined {
  const value = parseLine(line);
  if (isNamed(value) && typeof value['end'] === 'number') {
    return { kind: 'end', sessions: value['end'] };
  }
  const session = sessionOf(version < ROWS_VERSION ? rowByNames(value, version) : value);
  return session === undefined ? undefined : { kind: 'session', session };
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function parseHeader(fields: Named): StateHeader {
  const { format, version, savedAt, isFinal, names } = fields as Partial<
    Record<keyof StateHeader, unknown>
  >;
  if (format !== STATE_FORMAT) throw new SyntaxError('it is not a state file of coturn-exporter');
  if (!isVersion(version)) {
    throw new SyntaxError(
      `its version ${String(version)} is not known, this one knows ${STATE_VERSION}`,
    );
  }
  if (typeof savedAt !== 'string' || !(Date.parse(savedAt) <= LAST_MS)) {
    throw new SyntaxError('it does not tell when it was saved');
  }
  // Null where it was true and another process has gone on from the file since.
  if (typeof isFinal !== 'boolean' && isFinal !== null) {
    throw new SyntaxError('it does not tell whether it is final');
  }
  if (names !== undefined && typeof names !== 'string') {
    throw new SyntaxError('it does not tell how its names are hidden');
  }
  return { format, version, savedAt, isFinal: isFinal === true, names };
}

function isVersion(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= STATE_VERSION;
}
