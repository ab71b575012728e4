import type { RejectReason } from './event.ts';

// What a delta needs, and nothing else: nearly every message is one, and it is read where it lies,
// without a text or an object made of it. `parseStatsKey` and `parseEvent` are the same in full.

/** A key where its bytes arrived. */
export interface KeyBytes {
  readonly view: DataView;
  /** Where the key begins in `view`, and the offset behind it. */
  readonly keyStart: number;
  readonly keyEnd: number;
}

/** A message where its bytes arrived; they are another's as soon as it has been looked at. */
export interface WireMessage extends KeyBytes {
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

/** How many bytes of a delta's key are its topic, with the `/`. */
export const TRAFFIC_TAIL = 8;
/** The same of the peer side. */
export const PEER_TAIL = 13;

const TRA = wordOf('/tra');
const FFIC = wordOf('ffic');
const PEE = wordOf('/pee');
const PEER = wordOf('peer');

/**
 * How many bytes of the key are the topic of a delta: {@link TRAFFIC_TAIL} or {@link PEER_TAIL}; 0
 * for every other key.
 */
export function deltaTailOf({ view, keyStart, keyEnd }: KeyBytes): number {
  if (keyEnd - keyStart < PEER_TAIL) return 0;
  const last = view.getInt32(keyEnd - 4, true);
  if (last === FFIC) return view.getInt32(keyEnd - 8, true) === TRA ? TRAFFIC_TAIL : 0;
  const isPeer =
    last === PEER &&
    view.getInt32(keyEnd - 5, true) === PEE &&
    view.getInt32(keyEnd - 9, true) === FFIC &&
    view.getInt32(keyEnd - 13, true) === TRA;
  return isPeer ? PEER_TAIL : 0;
}

const LABELS = ['rcvp=', ', rcvb=', ', sentp=', ', sentb='];
const LENGTHS = Uint8Array.from(LABELS, (label) => label.length);
/** The first and the last four bytes of each, which are all of it. */
const FIRSTS = Int32Array.from(LABELS, (label) => wordOf(label));
const LASTS = Int32Array.from(LABELS, (label) => wordOf(label.slice(-4)));
const ZERO = 48;

/**
 * Reads the four numbers of a traffic payload into `target`, as `readTraffic` does from a text.
 *
 *     rcvp=2048, rcvb=354304, sentp=2048, sentb=356352
 *
 * @returns why it cannot be read, or undefined when it could
 */
export function readDelta(message: WireMessage, target: Float64Array): RejectReason | undefined {
  const { view, payloadStart, payloadEnd } = message;
  let at = payloadStart;
  let isInRange = true;
  for (let field = 0; field < 4; field += 1) {
    const start = at + (LENGTHS[field] ?? 0);
    if (
      start >= payloadEnd ||
      view.getInt32(at, true) !== FIRSTS[field] ||
      view.getInt32(start - 4, true) !== LASTS[field]
    ) {
      return 'malformed_traffic';
    }
    let value = 0;
    for (at = start; at < payloadEnd; at += 1) {
      const digit = view.getUint8(at) - ZERO;
      if (digit < 0 || digit > 9) break;
      // Beyond 2^53 this is inexact, but stays beyond it, which is refused.
      value = value * 10 + digit;
    }
    if (at === start) return 'malformed_traffic';
    if (value > Number.MAX_SAFE_INTEGER) isInRange = false;
    target[field] = value;
  }
  if (at !== payloadEnd) return 'malformed_traffic';
  return isInRange ? undefined : 'number_out_of_range';
}

/** The first four characters of an ASCII text, as a view reads them at once. */
function wordOf(text: string): number {
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  return new DataView(bytes.buffer).getInt32(0, true);
}
