import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isHeader, parseRecordedLine, type RecordedLine } from '../../src/recording/recording.ts';

const FOLDER = join(import.meta.dirname, '..', 'fixtures', 'captures');

/** Packets and bytes, as the recordings' answers name them. */
export interface ExpectedTraffic {
  readonly received_packets: number;
  readonly received_bytes: number;
  readonly sent_packets: number;
  readonly sent_bytes: number;
}

/** What an exact exporter holds after a recording; its README tells how it is reckoned. */
export interface ExpectedState {
  readonly realms: Record<
    string,
    Record<'client' | 'peer' | 'unallocated' | 'missed', ExpectedTraffic>
  >;
  readonly allocations: {
    readonly created: number;
    readonly adopted: number;
    readonly deleted: number;
    readonly superseded: number;
    readonly still_open: number;
  };
  readonly allocations_exact: boolean;
  readonly events: Record<string, number>;
  readonly other: number;
  readonly rejected: number;
  readonly users: readonly string[];
}

/** Names of all recordings: `4.6.1/udp-basic`. */
export function captureNames(): string[] {
  const versions = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  return versions.flatMap(({ name: version }) =>
    readdirSync(join(FOLDER, version))
      .filter((file) => file.endsWith('.jsonl'))
      .map((file) => `${version}/${file.slice(0, -'.jsonl'.length)}`),
  );
}

/** The lines of a recording, in order, without its header. */
export function readCapture(name: string): RecordedLine[] {
  return readFileSync(join(FOLDER, `${name}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map(parseRecordedLine)
    .flatMap((line) => (isHeader(line) ? [] : [line]));
}

/** The answers to a recording. */
export function readExpected(name: string): ExpectedState {
  return JSON.parse(readFileSync(join(FOLDER, `${name}.expected.json`), 'utf8'));
}

/** Of a browser's calls: whether each user's media went over the relay, as the browser itself says. */
export function readRelayed(name: string): Record<string, boolean> {
  return JSON.parse(readFileSync(join(FOLDER, `${name}.meta.json`), 'utf8')).relayed;
}
