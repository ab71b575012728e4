import type { Allocation } from './allocation.ts';
import {
  isZero,
  missingOfPeerTotal,
  missingOfTotal,
  missingTraffic,
  NOTHING,
  sumTraffic,
  type Traffic,
  unwrapPeerTotal,
} from './traffic.ts';

/** The last word on an allocation's traffic. */
export interface Settlement {
  /** What to add to the counters: bytes that no report told, and a total did. */
  readonly missedClient: Traffic;
  readonly missedPeer: Traffic;
  /** What the record tells. */
  readonly client: Traffic;
  readonly peer: Traffic;
  /** Every byte is accounted for by totals or by an unbroken series of reports. */
  readonly complete: boolean;
}

/** Compares reports and totals at the end of the linger (design, rules 1, 2 and 6). */
export function settle(allocation: Allocation): Settlement {
  const { startKnown, contested, clientTotal, peerTotal } = allocation;
  const exactTotals = startKnown && !contested;
  const missedClient = exactTotals
    ? missing(allocation.client, clientTotal, missingOfTotal)
    : NOTHING;
  const missedPeer = exactTotals
    ? missing(allocation.peer, peerTotal, missingOfPeerTotal)
    : NOTHING;
  const client = recordedClient(allocation, missedClient);
  return {
    missedClient,
    missedPeer,
    client,
    peer: recordedPeer(allocation, missedPeer, client),
    complete: isComplete(allocation),
  };
}

function missing(
  reported: Traffic,
  total: Traffic | undefined,
  rule: typeof missingOfTotal,
): Traffic {
  return total === undefined ? NOTHING : missingTraffic(reported, total, rule);
}

/** Its past is unknown, and its totals are its own: coturn's word is all there is. */
function isAdopted({ startKnown, contested }: Allocation): boolean {
  return !(startKnown || contested);
}

function recordedClient(allocation: Allocation, missed: Traffic): Traffic {
  const { client, clientTotal } = allocation;
  if (!isAdopted(allocation) || clientTotal === undefined) return sumTraffic(client, missed);
  return sumTraffic(client, missingTraffic(client, clientTotal, missingOfTotal));
}

function recordedPeer(allocation: Allocation, missed: Traffic, twin: Traffic): Traffic {
  const { peer, peerTotal: total } = allocation;
  if (!isAdopted(allocation) || total === undefined) return sumTraffic(peer, missed);
  // What a client sends is what its peers get, and the other way round.
  return {
    receivedPackets: unwrapPeerTotal(peer.receivedPackets, total.receivedPackets, twin.sentPackets),
    receivedBytes: unwrapPeerTotal(peer.receivedBytes, total.receivedBytes, twin.sentBytes),
    sentPackets: unwrapPeerTotal(peer.sentPackets, total.sentPackets, twin.receivedPackets),
    sentBytes: unwrapPeerTotal(peer.sentBytes, total.sentBytes, twin.receivedBytes),
  };
}

function isComplete(allocation: Allocation): boolean {
  const { client, clientTotal, peerTotal, contested, expectsPeer, reportsPeer } = allocation;
  const peerSettled = peerTotal !== undefined || !(expectsPeer || reportsPeer);
  if (clientTotal !== undefined && peerSettled) {
    if (contested) return reportsEqualTotals(allocation, clientTotal);
    // Totals that are behind the reports are of another allocation with the same key.
    return isZero(missingTraffic(clientTotal, client, missingOfTotal));
  }
  const peerReported = reportsPeer || !expectsPeer;
  return allocation.endReason === 'deleted' && allocation.isUnbroken && peerReported && !contested;
}

function reportsEqualTotals(
  { client, peer, peerTotal }: Allocation,
  clientTotal: Traffic,
): boolean {
  return (
    isZero(missingTraffic(client, clientTotal, missingOfTotal)) &&
    isZero(missingTraffic(clientTotal, client, missingOfTotal)) &&
    isZero(missing(peer, peerTotal, missingOfPeerTotal))
  );
}
