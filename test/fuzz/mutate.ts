import { Buffer } from 'node:buffer';

/** A whole number from 0 to below `limit`. */
export type Pick = (limit: number) => number;

/** What readers of these formats stumble over. */
const TOKENS: readonly Buffer[] = [
  ...['\r\n', '\n', '\0', ' ', '/', ':', ',', '=', '"', '{', '[', '*', '$', '-1', '0', '%FF'],
  ...['9007199254740991', '9007199254740992', '4294967296', '1e9', '99999999999999999999'],
  ...['/user/', '/allocation/', '000000000000000001', '/status', '/traffic', 'publish', 'null'],
  ...['\u00e9', '\ud83d\ude00', '__proto__'],
]
  .map((text) => Buffer.from(text))
  .concat([Buffer.from([0xff]), Buffer.from([0xc3])]);

const MAX_BYTES = 4_096;

/** Another input like `bytes`: a few changes, perhaps with a part of `other`. */
export function mutate(bytes: Buffer, other: Buffer, pick: Pick): Buffer {
  let result = bytes;
  for (let changes = pick(4); changes >= 0; changes -= 1) result = change(result, other, pick);
  return result.subarray(0, MAX_BYTES);
}

function change(bytes: Buffer, other: Buffer, pick: Pick): Buffer {
  const at = pick(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + pick(8));
  const before = bytes.subarray(0, at);
  const token = TOKENS[pick(TOKENS.length)] ?? bytes;
  switch (pick(6)) {
    case 0:
      return Buffer.concat([before, bytes.subarray(end)]);
    case 1:
      return Buffer.concat([before, token, bytes.subarray(at)]);
    case 2:
      return Buffer.concat([before, token, bytes.subarray(end)]);
    case 3:
      return Buffer.concat([before, Buffer.from([pick(256)]), bytes.subarray(at + 1)]);
    case 4:
      return Buffer.concat([before, bytes.subarray(at, end), bytes.subarray(at)]);
    default:
      return Buffer.concat([before, other.subarray(pick(other.length + 1))]);
  }
}
