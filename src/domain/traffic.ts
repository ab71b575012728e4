/** Packets and bytes of one leg, as the TURN server sees it: received from and sent to that side. */
export interface Traffic {
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
}

/**
 * coturn keeps a session's peer traffic in 32-bit counters, so its peer totals wrap here.
 * Source: coturn 4.5.2 to 4.17.1, ns_turn_session.h, `t_peer_received_bytes` and its siblings.
 */
export const PEER_TOTAL_MODULUS: number = 2 ** 32;

/** Where a sum of {@link Traffic} is kept. */
export interface MutableTraffic {
  receivedPackets: number;
  receivedBytes: number;
  sentPackets: number;
  sentBytes: number;
}

/** A new sum of nothing. */
export function createTraffic(): MutableTraffic {
  return { receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0 };
}

/** Adds `traffic` to `sum` in place. */
export function addTraffic(sum: MutableTraffic, traffic: Traffic): void {
  sum.receivedPackets += traffic.receivedPackets;
  sum.receivedBytes += traffic.receivedBytes;
  sum.sentPackets += traffic.sentPackets;
  sum.sentBytes += traffic.sentBytes;
}

/** No traffic at all. */
export const NOTHING: Traffic = {
  receivedPackets: 0,
  receivedBytes: 0,
  sentPackets: 0,
  sentBytes: 0,
};

/** The traffic of both. */
export function sumTraffic(left: Traffic, right: Traffic): Traffic {
  return {
    receivedPackets: left.receivedPackets + right.receivedPackets,
    receivedBytes: left.receivedBytes + right.receivedBytes,
    sentPackets: left.sentPackets + right.sentPackets,
    sentBytes: left.sentBytes + right.sentBytes,
  };
}

/** True when nothing at all moved. */
export function isZero(traffic: Traffic): boolean {
  return (
    traffic.receivedPackets === 0 &&
    traffic.receivedBytes === 0 &&
    traffic.sentPackets === 0 &&
    traffic.sentBytes === 0
  );
}

/**
 * What `reported` lacks of `total`, field by field; zero where the reports were ahead of it.
 *
 * @param missing tells it for one field: {@link missingOfTotal} or {@link missingOfPeerTotal}
 */
export function missingTraffic(
  reported: Traffic,
  total: Traffic,
  missing: (reported: number, total: number) => number,
): Traffic {
  return {
    receivedPackets: missing(reported.receivedPackets, total.receivedPackets),
    receivedBytes: missing(reported.receivedBytes, total.receivedBytes),
    sentPackets: missing(reported.sentPackets, total.sentPackets),
    sentBytes: missing(reported.sentBytes, total.sentBytes),
  };
}

/** What is missing of a client-side total, which never wraps (seen at 4.9e9 bytes). */
export function missingOfTotal(reported: number, total: number): number {
  return total > reported ? total - reported : 0;
}

/**
 * What is missing of a peer-side total, which is known modulo 2^32 only. A distance of 2^31 or more
 * means that the reports were ahead of the total, and nothing is missing.
 */
export function missingOfPeerTotal(reported: number, total: number): number {
  const distance = modulo(total - reported, PEER_TOTAL_MODULUS);
  return distance < PEER_TOTAL_MODULUS / 2 ? distance : 0;
}

/**
 * The true value of a wrapped peer total whose reports are not known from the start: of all values
 * that wrap to `total` and are not below `reported`, the one nearest to `twin`, the same media on
 * the client side (which never wraps and differs by a few per cent of overhead).
 */
export function unwrapPeerTotal(reported: number, total: number, twin: number): number {
  const least = reported + modulo(total - reported, PEER_TOTAL_MODULUS);
  const wraps = Math.round((twin - least) / PEER_TOTAL_MODULUS);
  // Nearer to the reports than one wrap above them: they were ahead of this total.
  if (wraps < 0 && least - reported >= PEER_TOTAL_MODULUS / 2) return reported;
  return least + Math.max(0, wraps) * PEER_TOTAL_MODULUS;
}

function modulo(value: number, modulus: number): number {
  const rest = value % modulus;
  // The rest of a negative number is negative, or the negative zero.
  return rest < 0 ? rest + modulus : rest + 0;
}
