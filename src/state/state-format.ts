import { isSavedSession, type SavedSession } from '../domain/saved-session.ts';

/** Told apart from every other file by its first line. */
export const STATE_FORMAT = 'coturn-exporter-state';

/** The version that is written. Older ones are read, newer ones are refused. */
export const STATE_VERSION = 1;

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
}

/** A state file that was read. */
export interface SavedState {
  readonly header: StateHeader;
  readonly sessions: readonly SavedSession[];
}

/** The first line of a state file, with its line feed. */
export function renderHeader(header: Pick<StateHeader, 'savedAt' | 'isFinal'>): string {
  return `${JSON.stringify({ format: STATE_FORMAT, version: STATE_VERSION, ...header })}\n`;
}

/** The line of a session, with its line feed. */
export function renderSession(session: SavedSession): string {
  return `${JSON.stringify(session)}\n`;
}

/** The last line, with its line feed: a file without it was cut. */
export function renderEnd(sessions: number): string {
  return `${JSON.stringify({ end: sessions })}\n`;
}

/**
 * Reads a state file: a header, a line for each session, an end that tells how many.
 *
 *     {"format":"coturn-exporter-state","version":1,"savedAt":"…","isFinal":true}
 *     {"id":"…","open":[…],…}
 *     {"end":1}
 *
 * @throws {SyntaxError} whose message tells what is wrong, to go after the name of the file
 */
export function parseState(text: string): SavedState {
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new SyntaxError('it is cut');
  const header = parseHeader(parseLine(lines.shift(), 1));
  const end = parseLine(lines.pop(), lines.length + 2);
  if (end['end'] !== lines.length) throw new SyntaxError('it is cut');
  const sessions = lines.map((line, index) => parseSession(parseLine(line, index + 2), index + 2));
  return { header, sessions };
}

type Fields = Readonly<Record<string, unknown>>;

function parseLine(line: string | undefined, number: number): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line ?? '');
  } catch {
    throw new SyntaxError(`line ${number} is not JSON`);
  }
  if (!isFields(value)) throw new SyntaxError(`line ${number} is not an object`);
  return value;
}

function parseHeader(fields: Fields): StateHeader {
  const { format, version, savedAt, isFinal } = fields as Partial<
    Record<keyof StateHeader, unknown>
  >;
  if (format !== STATE_FORMAT) throw new SyntaxError('it is not a state file of coturn-exporter');
  if (typeof version !== 'number' || version < 1 || version > STATE_VERSION) {
    throw new SyntaxError(`its version ${String(version)} is not known, this one knows 1`);
  }
  if (typeof savedAt !== 'string' || Number.isNaN(Date.parse(savedAt))) {
    throw new SyntaxError('it does not tell when it was saved');
  }
  // Null where it was true and another process has gone on from the file since.
  if (typeof isFinal !== 'boolean' && isFinal !== null) {
    throw new SyntaxError('it does not tell whether it is final');
  }
  return { format, version, savedAt, isFinal: isFinal === true };
}

function parseSession(fields: Fields, number: number): SavedSession {
  if (!isSavedSession(fields)) throw new SyntaxError(`line ${number} is not a session`);
  return fields;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
