import { bytesOf, type Traffic } from './traffic.ts';

/**
 * Whether a session needed the relay; `unknown` when nothing tells: no bytes of peers were seen, and
 * not every byte is accounted for. The `relayed` label.
 */
export const RELAYED = ['true', 'false', 'unknown'] as const;
export type Relayed = (typeof RELAYED)[number];

/** What separates media from connectivity checks, on one side of an allocation. */
interface Bounds {
  /** Bytes of both directions that no checks reach. */
  readonly manyBytes: number;
  /** Bytes from which the mean of a packet is a judgement. */
  readonly someBytes: number;
  /** Bytes of a packet, on average: more than checks ever have. */
  readonly largeMean: number;
  /** Less than the smallest answer to a check. */
  readonly smallMean: number;
}

/**
 * ICE tries relayed candidates too, so calls that go direct leave some bytes at peers. Measured with
 * Chromium 156 over coturn 4.6.1 and 4.17.1, both directions of one user together:
 *
 * | what | bytes | a packet |
 * |---|---|---|
 * | checks of a direct call, 8 s | 1,280 | 80 |
 * | the same after two minutes, then none | 8,800 (9,240 as 4.17.1 counts) | 80 |
 * | checks that nobody answers | | 96 to 108 |
 * | data channel opened and closed | 5,300 | 177 |
 * | data channel idle for 10 s, 60 s | 7,500, 15,400 | |
 * | video, 2 s | 72,000 | 600 |
 * | muted microphone, 13 s (8,800 bytes a second) | 121,000 | 69 |
 *
 * A check has 84 bytes or more and its answer 64 (RFC 8445 §7.2.2, RFC 8489), so a mean between is
 * theirs, or that of a muted microphone or a quiet voice, which pass `manyBytes` in a second or two.
 */
const PEER_BOUNDS: Bounds = {
  manyBytes: 10_000,
  someBytes: 2_500,
  largeMean: 110,
  smallMean: 60,
};

/**
 * The same where coturn reports no peer side (before 4.5.1.2): here are TURN's own requests too (8 to
 * 12 of 40 to 150 bytes, and refreshes), and up to 48 bytes around each packet that has no channel.
 */
const CLIENT_BOUNDS: Bounds = {
  manyBytes: 20_000,
  someBytes: 4_000,
  largeMean: 150,
  smallMean: 60,
};

/** Whether an allocation that carried this much on one side was needed. */
export type RelayedRule = (traffic: Traffic, side: 'peer' | 'client') => boolean;

/**
 * The one rule for what an allocation carried; design, rule 9.
 *
 * @param minBytes bytes of both directions from which it relayed, instead of the bounds above
 */
export function createRelayedRule(minBytes?: number): RelayedRule {
  if (minBytes !== undefined) return (traffic) => bytesOf(traffic) >= minBytes;
  return (traffic, side) => isBeyondChecks(traffic, side === 'peer' ? PEER_BOUNDS : CLIENT_BOUNDS);
}

function isBeyondChecks(traffic: Traffic, bounds: Bounds): boolean {
  const bytes = bytesOf(traffic);
  if (bytes >= bounds.manyBytes) return true;
  if (bytes < bounds.someBytes) return false;
  const mean = bytes / (traffic.receivedPackets + traffic.sentPackets);
  return mean >= bounds.largeMean || mean < bounds.smallMean;
}
