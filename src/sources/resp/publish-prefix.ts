import type { Buffer } from 'node:buffer';

/** Length of {@link isPublish}'s prefix; the key's `$` follows. */
export const PUBLISH_BYTES = 17;

const CR = 13;
const LF = 10;
const LOWER_CASE = 0x20;

/**
 * Whether a `PUBLISH` with two arguments starts here, its name in any case. Byte by byte because
 * it is asked once for each message, and no string is made of what is only compared.
 *
 * `*3\r\n$7\r\npublish\r\n`
 *
 * @returns false as well when there are too few bytes to tell
 */
export function isPublish(bytes: Buffer, at: number): boolean {
  if (at + PUBLISH_BYTES > bytes.length) return false;
  return (
    bytes[at] === 0x2a && // *3
    bytes[at + 1] === 0x33 &&
    bytes[at + 2] === CR &&
    bytes[at + 3] === LF &&
    bytes[at + 4] === 0x24 && // $7
    bytes[at + 5] === 0x37 &&
    bytes[at + 6] === CR &&
    bytes[at + 7] === LF &&
    isPublishWord(bytes, at + 8) &&
    bytes[at + 15] === CR &&
    bytes[at + 16] === LF
  );
}

function isPublishWord(bytes: Buffer, at: number): boolean {
  return (
    ((bytes[at] ?? 0) | LOWER_CASE) === 0x70 &&
    ((bytes[at + 1] ?? 0) | LOWER_CASE) === 0x75 &&
    ((bytes[at + 2] ?? 0) | LOWER_CASE) === 0x62 &&
    ((bytes[at + 3] ?? 0) | LOWER_CASE) === 0x6c &&
    ((bytes[at + 4] ?? 0) | LOWER_CASE) === 0x69 &&
    ((bytes[at + 5] ?? 0) | LOWER_CASE) === 0x73 &&
    ((bytes[at + 6] ?? 0) | LOWER_CASE) === 0x68
  );
}
