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
export function settlementOf(allocation: Allocation): Settlement {
  const { client, peer, clientTotal, peerTotal, contested } = allocation;
  const missingClient = missing(client, clientTotal, missingOfTotal);
  const missingPeer = missing(peer, peerTotal, missingOfPeerTotal);
  const complete = isComplete(allocation);
  if (contested) {
    // Its totals may be of the other one.
    return { missedClient: NOTHING, missedPeer: NOTHING, client, peer, complete };
  }
  const whole = sumTraffic(client, missingClient);
  if (allocation.startKnown) {
    const wholePeer = sumTraffic(peer, missingPeer);
    return {
      missedClient: missingClient,
      missedPeer: missingPeer,
      client: whole,
      peer: wholePeer,
      complete,
    };
  }
  // Its past is unknown, and may be counted already: the totals are for its record only.
  return {
    missedClient: NOTHING,
    missedPeer: NOTHING,
    client: whole,
    peer: peerTotal === undefined ? peer : unwrapPeer(peer, peerTotal, whole),
    complete,
  };
}

function missing(
  reported: Traffic,
  total: Traffic | undefined,
  rule: typeof missingOfTotal,
): Traffic {
  return total === undefined ? NOTHING : missingTraffic(reported, total, rule);
}

/** What a client sends is what its peers get, and the other way round. */
function unwrapPeer(peer: Traffic, total: Traffic, client: Traffic): Traffic {
  return {
    receivedPackets: unwrapPeerTotal(
      peer.receivedPackets,
      total.receivedPackets,
      client.sentPackets,
    ),
    receivedBytes: unwrapPeerTotal(peer.receivedBytes, total.receivedBytes, client.sentBytes),
    sentPackets: unwrapPeerTotal(peer.sentPackets, total.sentPackets, client.receivedPackets),
    sentBytes: unwrapPeerTotal(peer.sentBytes, total.sentBytes, client.receivedBytes),
  };
}

function isComplete(allocation: Allocation): boolean {
  const { client, peer, clientTotal, peerTotal, contested, expectsPeer, reportsPeer } = allocation;
  const hasPeerTotal = peerTotal !== undefined || !(expectsPeer || reportsPeer);
  if (clientTotal !== undefined && hasPeerTotal) {
    // Totals that are behind the reports are of another allocation with the same key.
    const isAhead = isZero(missingTraffic(clientTotal, client, missingOfTotal));
    if (!contested) return isAhead;
    const isEqual = isAhead && isZero(missingTraffic(client, clientTotal, missingOfTotal));
    return isEqual && isZero(missing(peer, peerTotal, missingOfPeerTotal));
  }
  const isUnbroken =
    allocation.startKnown && allocation.gapsAtStart === allocation.origin.gaps && !contested;
  return allocation.endReason === 'deleted' && isUnbroken && (reportsPeer || !expectsPeer);
}
