/**
 * One finished session as a bill needs it, read from a line of a record file. It is a type of its
 * own and not the writer's: files of several versions of the exporter make one bill.
 */
export interface BillRecord extends Sums {
  /** Unique for one exporter; the two of a pair give one session two. */
  readonly id: string;
  readonly realm: string;
  readonly user: string;
  /** What `--user.pattern` told of the user besides, as one text; users who differ in it are two. */
  readonly attributes: string;
  /** Several joined by `,`, like `transport` and `client`. */
  readonly server: string;
  readonly transport: string;
  readonly client: string;
  /** Which of a pair wrote it; empty when the exporter is alone. */
  readonly replica: string;
  /** When it was written, Unix time in ms. */
  readonly timeMs: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly durationMs: number;
  readonly startKnown: boolean;
  readonly complete: boolean;
  /** Undefined when nobody knows. */
  readonly relayed: boolean | undefined;
  readonly allocations: number;
  /** How many of them had begun before their exporter. */
  readonly adoptedAllocations: number;
  /** How many were live when the exporter stopped; above 0 the session may have gone on. */
  readonly openAllocations: number;
  /** What of the sums is theirs. */
  readonly open: Sums;
  readonly receivedPackets: number;
  readonly sentPackets: number;
}

/** Bytes of both sides, as coturn sees them. */
export interface Sums {
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly peerReceivedBytes: number;
  readonly peerSentBytes: number;
}

/**
 * The bytes of a session that a bill counts: what came in on both sides, which is what the relay
 * passed on (docs/accounting.md tells why). A coturn before 4.5.1.2 reports no peer side; what it
 * sent to the client stands in for it then.
 */
export function billedBytes(record: Sums & Pick<BillRecord, 'relayed'>): number {
  const { receivedBytes, sentBytes, peerReceivedBytes, peerSentBytes } = record;
  const tellsPeer = record.relayed !== true || peerReceivedBytes + peerSentBytes > 0;
  return receivedBytes + (tellsPeer ? peerReceivedBytes : sentBytes);
}

/** What a line of a file is. */
export type ParsedLine =
  | { readonly kind: 'record'; readonly record: BillRecord }
  /** JSON, but no session record: the exporter's own log may stand in the same file. */
  | { readonly kind: 'other' }
  | { readonly kind: 'bad'; readonly reason: string };

/** The schema of records that is understood; see `domain/session-record.ts`. */
const SCHEMA = 1;
const QUOTED_CHARACTERS = 60;
/** No bytes at all. */
export const NO_BYTES: Sums = Object.freeze({
  receivedBytes: 0,
  sentBytes: 0,
  peerReceivedBytes: 0,
  peerSentBytes: 0,
});
const OTHER: ParsedLine = { kind: 'other' };

/**
 * Reads one line of a record file.
 *
 *     {"level":"info","time":"2026-10-05T09:05:01.003Z","event":"session_finished","schema":1,…}
 *
 * @returns what it is; `reason` names the field, the value and what was expected
 */
export function parseRecordLine(line: string): ParsedLine {
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch {
    return bad(`expected a JSON object, found ${shown(line)}`);
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    return bad(`expected a JSON object, found ${shown(line)}`);
  }
  const reader = new FieldReader(fields as Readonly<Record<string, unknown>>);
  if (reader.raw('event') !== 'session_finished') return OTHER;
  if (reader.raw('schema') !== SCHEMA) return bad(reader.complaint('schema', String(SCHEMA)));
  const record = readRecord(reader);
  return reader.problem === undefined ? { kind: 'record', record } : bad(reader.problem);
}

function readRecord(reader: FieldReader): BillRecord {
  const sums = readSums(reader, '');
  const startKnown = reader.flag('start_known');
  const allocations = reader.whole('allocations');
  // Records of exporters before 0.2 tell of a whole session only whether it was adopted or cut off.
  const wasCutOff = reader.text('reason') === 'shutdown';
  const tellsOpen = reader.raw('open_allocations') !== undefined;
  return {
    id: reader.text('session_id'),
    realm: reader.text('realm'),
    user: reader.text('user'),
    attributes: reader.allWith('attr_'),
    server: reader.text('server'),
    transport: reader.text('transport'),
    client: reader.textOr('client', ''),
    replica: reader.textOr('replica', ''),
    timeMs: reader.time('time'),
    startMs: reader.time('start'),
    endMs: reader.time('end'),
    durationMs: reader.seconds('duration_seconds'),
    startKnown,
    complete: reader.flag('complete'),
    relayed: reader.raw('relayed') === null ? undefined : reader.flag('relayed'),
    allocations,
    adoptedAllocations: reader.wholeOr('adopted_allocations', startKnown ? 0 : allocations),
    openAllocations: reader.wholeOr('open_allocations', wasCutOff ? allocations : 0),
    open: tellsOpen ? readSums(reader, 'open_') : wasCutOff ? { ...sums } : NO_BYTES,
    ...sums,
    receivedPackets: reader.whole('received_packets'),
    sentPackets: reader.whole('sent_packets'),
  };
}

function readSums(reader: FieldReader, prefix: '' | 'open_'): Sums {
  return {
    receivedBytes: reader.whole(`${prefix}received_bytes`),
    sentBytes: reader.whole(`${prefix}sent_bytes`),
    peerReceivedBytes: reader.whole(`${prefix}peer_received_bytes`),
    peerSentBytes: reader.whole(`${prefix}peer_sent_bytes`),
  };
}

/** Reads fields one by one and remembers the first that cannot be used. */
class FieldReader {
  problem: string | undefined;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(fields: Readonly<Record<string, unknown>>) {
    this.#fields = fields;
  }

  raw(name: string): unknown {
    return this.#fields[name];
  }

  text(name: string): string {
    const value = this.#fields[name];
    return typeof value === 'string' ? value : this.#refuse(name, 'a text', '');
  }

  /** All fields whose names begin so, in their order; empty for none. */
  allWith(prefix: string): string {
    let all = '';
    for (const name in this.#fields) {
      if (name.startsWith(prefix)) all += JSON.stringify([name, this.#fields[name]]);
    }
    return all;
  }

  textOr(name: string, instead: string): string {
    return this.#fields[name] === undefined ? instead : this.text(name);
  }

  flag(name: string): boolean {
    const value = this.#fields[name];
    return typeof value === 'boolean' ? value : this.#refuse(name, 'true or false', false);
  }

  whole(name: string): number {
    const value = this.#fields[name];
    return Number.isSafeInteger(value) && (value as number) >= 0
      ? (value as number)
      : this.#refuse(name, 'a whole number up to 2^53 - 1', 0);
  }

  wholeOr(name: string, instead: number): number {
    return this.#fields[name] === undefined ? instead : this.whole(name);
  }

  /** Seconds with whole milliseconds, as ms. */
  seconds(name: string): number {
    const value = this.#fields[name];
    return typeof value === 'number' && value >= 0 && value < Number.MAX_SAFE_INTEGER / 1000
      ? Math.round(value * 1000)
      : this.#refuse(name, 'a number of seconds', 0);
  }

  time(name: string): number {
    const value = this.#fields[name];
    const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
    return Number.isNaN(ms) ? this.#refuse(name, 'a time such as 2026-10-05T09:05:01.003Z', 0) : ms;
  }

  complaint(name: string, expected: string): string {
    const value = this.#fields[name];
    return value === undefined
      ? `${name} is missing: expected ${expected}`
      : `${name} is ${shown(JSON.stringify(value))}: expected ${expected}`;
  }

  #refuse<T>(name: string, expected: string, instead: T): T {
    this.problem ??= this.complaint(name, expected);
    return instead;
  }
}

function bad(reason: string): ParsedLine {
  return { kind: 'bad', reason };
}

/** The begin of a text, fit for a terminal. */
function shown(text: string): string {
  const begin = text.slice(0, QUOTED_CHARACTERS).replace(/[\p{Cc}\p{Cf}]/gu, '\u{fffd}');
  return text.length > QUOTED_CHARACTERS ? `${begin}…` : begin;
}
