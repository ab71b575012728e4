import { hasDifference } from '../support/coturn-version.ts';
import type { RecordLine } from '../support/json-lines.ts';
import type { Datagram, PacketCapture } from '../support/packet-capture.ts';
import { until } from '../support/until.ts';
import type { EndStats } from './call-page.ts';

/** What crossed the peer side of one user in one direction, taken apart; in bytes of UDP payload. */
export interface ExplainedBytes {
  readonly way: 'sent' | 'received';
  /** What the browser's candidate pairs say. */
  readonly getStats: number;
  /** ICE's checks, which the browser does not count. */
  readonly checks: number;
  /** What came after the browser was asked: the last media, and the goodbye of DTLS and SCTP. */
  readonly afterwards: number;
  /** What came for a client that had left: coturn has no allocation any more to count it for. */
  readonly tooLate: number;
  /** What the record says beyond all this: channel headers, where coturn counts them (4.11 on). */
  readonly headers: number;
  /** What the record says. */
  readonly record: number;
}

export interface ExplainOptions {
  readonly stats: EndStats;
  readonly records: readonly RecordLine[];
  readonly datagrams: readonly Datagram[];
  /** Unix time in ms at which the call was hung up. */
  readonly hungUpMs: number;
}

/** A busy machine takes its time between a browser's counter and the wire. */
const SLACK_MS = 2_000;

const CHANNEL_HEADER_BYTES = 4;

/**
 * Waits until all that the ends of a call have counted as sent has left the relay. Of a client that
 * closes its TLS connection, coturn drops what it has not read yet: on a busy machine that would be
 * packets which the browser has counted, and which nobody relayed.
 */
export async function untilRelayed(
  ends: readonly EndStats[],
  capture: PacketCapture,
): Promise<void> {
  const counted = ends.map(({ sentBytes }) => sentBytes);
  const relayed = () =>
    ends.map((stats) => bytesOf(crossed('sent', stats, capture.datagrams).filter(isMedia)));
  await until(relayed, {
    what: `the relay to send ${counted.join(' and ')} bytes`,
    isDone: (bytes) => counted.every((each, index) => (bytes[index] ?? 0) >= each),
  });
}

/**
 * Explains every byte that the records of a user tell, by what crossed the wire.
 *
 * @throws when a byte is left over
 */
export function explainBytes(way: 'sent' | 'received', options: ExplainOptions): ExplainedBytes {
  const { stats, records, datagrams, hungUpMs } = options;
  const all = crossed(way, stats, datagrams);
  const packets = sumField(records, `peer_${way}_packets`);
  const record = sumField(records, `peer_${way}_bytes`);
  const counted = all.slice(0, packets);
  const late = all.slice(packets);
  const headers = record - bytesOf(counted);
  if (way === 'sent' ? !isSentExactly(records, bytesOf(counted)) : headers !== 0) {
    throw new Error(`${way}: ${record} recorded, ${bytesOf(counted)} on the wire, ${show(all)}`);
  }
  if (late.some(({ atMs }) => way === 'sent' || atMs < hungUpMs)) {
    throw new Error(`${way}: not recorded though in time: ${show(late)}`);
  }
  const getStats = way === 'sent' ? stats.sentBytes : stats.receivedBytes;
  const media = counted.filter(isMedia);
  const before = lengthOfSum(media, getStats);
  const [last, next] = [media[before - 1], media[before]];
  if (
    before < 0 ||
    (last !== undefined && last.atMs > stats.toMs + SLACK_MS) ||
    (next !== undefined && next.atMs < stats.fromMs - SLACK_MS)
  ) {
    throw new Error(`${way}: ${getStats} by getStats() is none of the sums of ${show(media)}`);
  }
  return {
    way,
    getStats,
    checks: bytesOf(counted.filter(({ isStun }) => isStun)),
    afterwards: bytesOf(media.slice(before)),
    tooLate: bytesOf(late),
    headers,
    record,
  };
}

/**
 * Whether records tell so many bytes sent to peers as were on the wire, but for the channel headers
 * that coturn may count too. A browser's first packets, before it has a channel, have none.
 */
export function isSentExactly(records: readonly RecordLine[], wireBytes: number): boolean {
  const headers = sumField(records, 'peer_sent_bytes') - wireBytes;
  if (!hasDifference('channelHeader')) return headers === 0;
  const packets = headers / CHANNEL_HEADER_BYTES;
  return (
    Number.isInteger(packets) && packets >= 0 && packets <= sumField(records, 'peer_sent_packets')
  );
}

/** What crossed the peer side of one end in one direction. */
function crossed(
  way: 'sent' | 'received',
  { relayPorts }: EndStats,
  datagrams: readonly Datagram[],
): Datagram[] {
  return datagrams.filter(({ from, to }) => relayPorts.includes(way === 'sent' ? from : to));
}

/** Anything but ICE's checks. */
export function isMedia({ isStun }: Datagram): boolean {
  return !isStun;
}

/** How many datagrams from the first on add up to this; -1 when no number of them does. */
function lengthOfSum(datagrams: readonly Datagram[], sum: number): number {
  let rest = sum;
  let length = 0;
  for (const { bytes } of datagrams) {
    if (rest <= 0) break;
    rest -= bytes;
    length += 1;
  }
  return rest === 0 ? length : -1;
}

/** Of payload, together. */
export function bytesOf(datagrams: readonly Datagram[]): number {
  return datagrams.reduce((sum, { bytes }) => sum + bytes, 0);
}

function sumField(records: readonly RecordLine[], field: string): number {
  return records.reduce((sum, record) => sum + Number(record[field]), 0);
}

function show(datagrams: readonly Datagram[]): string {
  return datagrams
    .map(({ atMs, bytes, isStun }) => `${atMs.toFixed(1)} ${bytes}${isStun ? ' check' : ''}`)
    .join('\n');
}
