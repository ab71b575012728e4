import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createReplyReader } from '../../../../src/sources/resp/replies.ts';
import { keyOf, payloadTextOf } from '../../../support/wire-message.ts';

interface Heard {
  readonly messages: string[];
  readonly others: string;
  readonly isReadable: boolean;
}

function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

function message(key: string, payload: string): string {
  return `*4\r\n$8\r\npmessage\r\n${bulk('turn/realm/*')}${bulk(key)}${bulk(payload)}`;
}

function hear(chunks: readonly Buffer[], takesInPlace = true): Heard {
  const messages: string[] = [];
  let others = '';
  const reader = createReplyReader({
    messageInPlace(message) {
      if (takesInPlace) messages.push(`${keyOf(message)} ${payloadTextOf(message)}`);
      return takesInPlace;
    },
    message: (key, payload) => messages.push(`${key} ${payload}`),
    other(bytes) {
      others += bytes.toString();
    },
  });
  const isReadable = chunks.every((chunk) => reader.push(chunk) === undefined);
  return { messages, others, isReadable };
}

const KEY = 'turn/realm/r/user/bob/allocation/000000000000000001/traffic';
const PAYLOAD = 'rcvp=1, rcvb=2, sentp=3, sentb=4';
const OTHERS = [
  '*2\r\n$4\r\npong\r\n$0\r\n\r\n',
  '*3\r\n$10\r\npsubscribe\r\n$12\r\nturn/realm/*\r\n:1\r\n',
  '+OK\r\n',
  '-ERR no\r\n',
  ':42\r\n',
  '$-1\r\n',
  '*-1\r\n',
  '*0\r\n',
  '*2\r\n*1\r\n:1\r\n$3\r\na\r\n\r\n',
];
const STREAM = [
  ...OTHERS,
  message(KEY, PAYLOAD),
  message('turn/user/café/allocation/000000000000000002/status', 'new lifetime=600'),
  ...OTHERS,
  message('turn/user/a\r\nb/x', ''),
  message(KEY, PAYLOAD),
].join('');
const EXPECTED: Heard = {
  messages: [
    `${KEY} ${PAYLOAD}`,
    'turn/user/café/allocation/000000000000000002/status new lifetime=600',
    'turn/user/a\r\nb/x ',
    `${KEY} ${PAYLOAD}`,
  ],
  others: [...OTHERS, ...OTHERS].join(''),
  isReadable: true,
};

describe('createReplyReader', () => {
  const bytes = Buffer.from(STREAM);

  it.each([true, false])('takes messages and passes the rest on (in place: %s)', (takesInPlace) => {
    expect(hear([bytes], takesInPlace)).toEqual(EXPECTED);
  });

  it('reads a stream byte by byte', () => {
    expect(hear([...bytes].map((byte) => Buffer.from([byte])))).toEqual(EXPECTED);
  });

  it('reads a stream split at every boundary', () => {
    for (let at = 1; at < bytes.length; at += 1) {
      expect(hear([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(EXPECTED);
    }
  });

  it('reads a stream split anywhere', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
        const offsets = [0, ...cuts.sort((left, right) => left - right), bytes.length];
        const chunks = offsets.slice(1).map((end, index) => bytes.subarray(offsets[index], end));
        expect(hear(chunks)).toEqual(EXPECTED);
      }),
    );
  });

  it.each([
    'garbage\r\n',
    '*x\r\n',
    '*1\n',
    '$5\r',
    '*4\r\n$8\r\npmessage\r\n$1\r\nabc',
    '*4\r\n$8\r\npmessage\r\n$99999999999\r\n',
    `${'*1\r\n'.repeat(20)}:1\r\n`,
    '$-2\r\n',
    '%1\r\n',
  ])('refuses or waits for the rest of %j, and never throws', (text) => {
    const { messages, others } = hear([Buffer.from(text), Buffer.from('\r\n\r\n')]);
    expect(messages).toEqual([]);
    expect(others).toBe('');
  });

  it('hands out messages where they lie, also those that are not ASCII', () => {
    const inPlace: string[] = [];
    const reader = createReplyReader({
      messageInPlace: (one) => inPlace.push(keyOf(one)) > 0,
      message: () => expect.unreachable(),
      other: () => undefined,
    });
    const keys = [KEY, 'turn/user/café/allocation/000000000000000002/traffic', KEY];
    reader.push(Buffer.from(keys.map((key) => message(key, PAYLOAD)).join('')));
    expect(inPlace).toEqual(keys);
  });

  it('leaves messages of patterns that nobody here subscribes to to the client', () => {
    const short = message(KEY, PAYLOAD).replace('$12\r\nturn/realm/*', '$1\r\n*');
    expect(hear([Buffer.from(short)])).toEqual({ messages: [], others: short, isReadable: true });
  });

  it('has no use for a connection that sends no Redis protocol', () => {
    expect(hear([Buffer.from('HTTP/1.1 400 Bad Request\r\n')]).isReadable).toBe(false);
    expect(hear([Buffer.from('*4\r\n$8\r\npmessage\r\n$1\r\nabcdef')]).isReadable).toBe(false);
  });
});
