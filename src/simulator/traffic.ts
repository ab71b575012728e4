/**
 * Packets and bytes of one leg, as the TURN server sees it. Not the accounting's own type and sums:
 * what the fleet says it relayed is the truth that the accounting is measured against, and a fault
 * that both shared would be seen by nobody.
 */
export interface Traffic {
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
}

/** Where a sum of {@link Traffic} is kept. */
export interface MutableTraffic {
  receivedPackets: number;
  receivedBytes: number;
  sentPackets: number;
  sentBytes: number;
}

/** No traffic at all. */
export const NOTHING: Traffic = createTraffic();

/** coturn 4.5.2 to 4.17.1 keep a session's peer traffic in 32 bits. */
const PEER_TOTAL_MODULUS = 0x1_0000_0000;

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

/** True when nothing at all moved. */
export function isZero(traffic: Traffic): boolean {
  const { receivedPackets, receivedBytes, sentPackets, sentBytes } = traffic;
  return receivedPackets + receivedBytes + sentPackets + sentBytes === 0;
}

/** What coturn's total says of so much peer traffic. */
export function wrapPeerTotal(traffic: Traffic): Traffic {
  return {
    receivedPackets: traffic.receivedPackets % PEER_TOTAL_MODULUS,
    receivedBytes: traffic.receivedBytes % PEER_TOTAL_MODULUS,
    sentPackets: traffic.sentPackets % PEER_TOTAL_MODULUS,
    sentBytes: traffic.sentBytes % PEER_TOTAL_MODULUS,
  };
}

/** `rcvp=4, rcvb=368, sentp=4, sentb=292` */
export function trafficText(traffic: Traffic): string {
  const { receivedPackets, receivedBytes, sentPackets, sentBytes } = traffic;
  return `rcvp=${receivedPackets}, rcvb=${receivedBytes}, sentp=${sentPackets}, sentb=${sentBytes}`;
}
