import type { KeyBytes, WireMessage } from '../../src/coturn/delta.ts';
import { bytesOfKept, keepBytes } from '../../src/coturn/text.ts';

/** Bytes around a message: what reads past its ends would find digits and letters of a delta. */
const AROUND = new TextEncoder().encode('1/traffic');

/** A message as its bytes would lie in what arrived, in the midst of others. */
export function wireMessage(key: string, payload: string): WireMessage {
  const keyBytes = encoded(key);
  const payloadBytes = encoded(payload);
  const bytes = Uint8Array.from([...AROUND, ...keyBytes, ...AROUND, ...payloadBytes, ...AROUND]);
  const keyStart = AROUND.length;
  const keyEnd = keyStart + keyBytes.length;
  const payloadStart = keyEnd + AROUND.length;
  return {
    view: new DataView(bytes.buffer),
    keyStart,
    keyEnd,
    payloadStart,
    payloadEnd: payloadStart + payloadBytes.length,
  };
}

/** The key of a message as text. */
export function keyOf({ view, keyStart, keyEnd }: KeyBytes): string {
  return decoded(view, keyStart, keyEnd);
}

/** The payload of a message as text. */
export function payloadTextOf({ view, payloadStart, payloadEnd }: WireMessage): string {
  return decoded(view, payloadStart, payloadEnd);
}

function encoded(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  return bytes.subarray(0, bytesOfKept(text, bytes));
}

function decoded(view: DataView, start: number, end: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + start, end - start);
  return keepBytes(Buffer.from(bytes).toString(), bytes);
}
