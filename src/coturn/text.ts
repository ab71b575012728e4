/** What a decoder puts where bytes are not UTF-8. */
const REPLACEMENT = '\uFFFD';
/** A byte that is not part of UTF-8 is kept as a lone surrogate: U+DC80 to U+DCFF. */
const ESCAPE = 0xdc00;
const ENCODER = new TextEncoder();
const ESCAPED = /[\uDC80-\uDCFF]/gu;

/**
 * Text of what coturn publishes. Names are raw bytes and need not be UTF-8; two that differ stay two
 * texts, since each byte that is not UTF-8 becomes a lone surrogate, which UTF-8 itself never makes.
 * {@link showText} makes it fit to be shown.
 *
 * @param text what a decoder made of `bytes`
 */
export function keepBytes(text: string, bytes: Uint8Array): string {
  if (!text.includes(REPLACEMENT)) return text;
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let kept = '';
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    kept += decoder.decode(bytes.subarray(from, at));
    kept += String.fromCharCode(ESCAPE + (bytes[at] ?? 0));
    at += 1;
    from = at;
  }
  return kept + decoder.decode(bytes.subarray(from));
}

/**
 * Writes the bytes that {@link keepBytes} made a text of.
 *
 * @param target has room for three times as many bytes as the text has units
 * @returns how many bytes there are
 */
export function bytesOfKept(text: string, target: Uint8Array): number {
  if (text.isWellFormed()) return ENCODER.encodeInto(text, target).written;
  let length = 0;
  for (const character of text) {
    const escaped = character.charCodeAt(0) - ESCAPE;
    if (escaped >= 0x80 && escaped <= 0xff) {
      target[length] = escaped;
      length += 1;
    } else length += ENCODER.encodeInto(character, target.subarray(length)).written;
  }
  return length;
}

/** Text of {@link keepBytes} as well-formed text: each byte that is no UTF-8 as `%FF`. */
export function showText(text: string): string {
  if (text.isWellFormed()) return text;
  return text
    .replace(ESCAPED, (unit) => `%${(unit.charCodeAt(0) - ESCAPE).toString(16).toUpperCase()}`)
    .toWellFormed();
}

/** Lead bytes of UTF-8 from the first on, with what may follow at once (Unicode 16, table 3-7). */
const LEADS: readonly [lead: number, length: number, least: number, most: number][] = [
  [0x00, 1, 0x00, 0xff],
  [0x80, 0, 0, 0],
  [0xc2, 2, 0x80, 0xbf],
  [0xe0, 3, 0xa0, 0xbf],
  [0xe1, 3, 0x80, 0xbf],
  [0xed, 3, 0x80, 0x9f],
  [0xee, 3, 0x80, 0xbf],
  [0xf0, 4, 0x90, 0xbf],
  [0xf1, 4, 0x80, 0xbf],
  [0xf4, 4, 0x80, 0x8f],
  [0xf5, 0, 0, 0],
];

/** How long the UTF-8 sequence at `at` is; 0 when there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  const [, length, least, most] = LEADS.findLast(([from]) => from <= lead) ?? [0, 0, 0, 0];
  const second = bytes[at + 1] ?? 0;
  if (length > 1 && (second < least || second > most)) return 0;
  for (let more = 2; more < length; more += 1) {
    if (((bytes[at + more] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}
