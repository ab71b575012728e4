import { CLIENT, PEER, TRAFFIC_LENGTH } from './traffic-rows.ts';

// What a delta needs, and nothing else: every one of them passes here.

const TRAFFIC_TAIL = '/traffic';
const PEER_TAIL = '/traffic/peer';

/** The side that a delta's key tells, as an offset of a row; -1 for every other key. */
export function sideOf(key: string): number {
  if (hasTail(key, TRAFFIC_TAIL)) return CLIENT;
  return hasTail(key, PEER_TAIL) ? PEER : -1;
}

/** The key of the allocation that a delta is about, from the delta's own key and its side. */
export function allocationKeyOf(key: string, side: number): string {
  return key.slice(0, key.length - (side === PEER ? PEER_TAIL.length : TRAFFIC_TAIL.length));
}

/** As `endsWith`, at a third of its price; most keys that differ do so in the last character. */
function hasTail(key: string, tail: string): boolean {
  const start = key.length - tail.length;
  for (let at = tail.length - 1; at >= 0; at -= 1) {
    if (key.charCodeAt(start + at) !== tail.charCodeAt(at)) return false;
  }
  return true;
}

/** Adds the four numbers of a delta to four of a row or an account. */
export function addNumbers(sums: Float64Array, offset: number, delta: Float64Array): void {
  for (let field = 0; field < TRAFFIC_LENGTH; field += 1) {
    sums[offset + field] = (sums[offset + field] ?? 0) + (delta[field] ?? 0);
  }
}
