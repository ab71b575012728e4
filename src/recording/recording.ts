/** Version of the format that {@link RecordingHeader} begins; grows when a line changes its meaning. */
export const RECORDING_FORMAT = 1;

/**
 * The first line of a recording. Recordings of other tools may lack it.
 *
 *     {"recording":1,"exporter":"0.1.0","start":"2026-11-21T19:00:00.000Z","hidden":false}
 */
export interface RecordingHeader {
  readonly recording: typeof RECORDING_FORMAT;
  /** Version of the exporter that recorded. */
  readonly exporter: string;
  /** RFC 3339: when `t` was 0. */
  readonly start: string;
  /** Names and addresses are replaced by hashes. */
  readonly hidden: boolean;
}

/** Where and when a line of a recording came from. */
interface Heard {
  /** Since the start, in ms. */
  readonly t: number;
  /** Name of the source; none in recordings of other tools. */
  readonly source?: string;
  /** The coturn that sent it, where its connection tells (embedded statsdb). */
  readonly server?: string;
}

/**
 * A message of coturn, or the value of a status key that was found in Redis (`scan_key`).
 *
 *     {"t":12,"source":"redis","channel":"turn/user/alice/allocation/001000000000000001/status","message":"deleted"}
 */
export interface RecordedMessage extends Heard {
  readonly event?: 'scan_key';
  readonly channel: string;
  readonly message: string;
}

/** What a source learned without a message. */
export interface RecordedIncident extends Heard {
  /**
   * A reading of the status keys; messages may be lost; a coturn has started anew; it was dead;
   * the recording was ended, of no source.
   */
  readonly event: 'scan_begin' | 'scan_end' | 'gap' | 'restart' | 'dead' | 'end';
  /** When a `gap` began, where that is known, or the `dead` last lived, in ms since the start. */
  readonly from?: number;
  /** Of a `scan_end`: some keys are never set, as in a cluster. */
  readonly partial?: true;
}

/** A line of a recording but the first. */
export type RecordedLine = RecordedMessage | RecordedIncident;

/** What cannot be read; the message says what was expected. */
export class RecordingError extends Error {}

/** Whether a line of a recording is its header. */
export function isHeader(line: RecordedLine | RecordingHeader): line is RecordingHeader {
  return 'recording' in line;
}

/**
 * Reads a line of a recording.
 *
 * @throws {RecordingError} when it is none
 */
export function parseRecordedLine(text: string): RecordedLine | RecordingHeader {
  const fields = parseObject(text);
  if ('recording' in fields) {
    const { recording, start, exporter, hidden } = fields;
    if (recording !== RECORDING_FORMAT || Number.isNaN(Date.parse(String(start)))) {
      throw new RecordingError(`expected a recording of format ${RECORDING_FORMAT}`);
    }
    return { recording, start: String(start), exporter: String(exporter), hidden: hidden === true };
  }
  if (!isLine(fields)) throw new RecordingError('expected t with channel and message, or an event');
  return fields;
}

const INCIDENTS: readonly unknown[] = ['scan_begin', 'scan_end', 'gap', 'restart', 'dead', 'end'];

function isLine(fields: object): fields is RecordedLine {
  const { t, source, server, event, channel, message, from }: Fields = { ...fields };
  const isMessage = typeof channel === 'string' && typeof message === 'string';
  return (
    Number.isFinite(t) &&
    (source === undefined || typeof source === 'string') &&
    (server === undefined || typeof server === 'string') &&
    (from === undefined || Number.isFinite(from)) &&
    (INCIDENTS.includes(event) || (isMessage && (event === undefined || event === 'scan_key')))
  );
}

/** What JSON may hold. */
interface Fields {
  readonly [name: string]: unknown;
}

function parseObject(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RecordingError('expected a line of JSON', { cause });
  }
  if (typeof value !== 'object' || value === null) throw new RecordingError('expected an object');
  return { ...value };
}
