import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { type Reply, ReplyReader } from '../../../src/simulator/wire.ts';

const ERROR =
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?';
const STREAM = `-${ERROR}\r\n+OK\r\n*2\r\n$3\r\na\r\n\r\n$0\r\n\r\n*0\r\n:17\r\n$2\r\nhi\r\n`;
const REPLIES: Reply[] = [
  { kind: 'error', text: ERROR },
  { kind: 'text', text: 'OK' },
  { kind: 'array', items: ['a\r\n', ''] },
  { kind: 'array', items: [] },
  { kind: 'text', text: '17' },
  { kind: 'text', text: 'hi' },
];

function read(chunks: readonly string[]): Reply[] {
  const reader = new ReplyReader();
  return chunks.flatMap((chunk) => reader.push(Buffer.from(chunk, 'latin1')));
}

describe('ReplyReader', () => {
  it('reads replies that arrive whole', () => {
    expect(read([STREAM])).toEqual(REPLIES);
  });

  it('reads them byte by byte', () => {
    expect(read([...STREAM])).toEqual(REPLIES);
  });

  it('reads them split at every boundary', () => {
    for (let at = 1; at < STREAM.length; at += 1) {
      expect(read([STREAM.slice(0, at), STREAM.slice(at)])).toEqual(REPLIES);
    }
  });

  it('keeps bytes that are no UTF-8', () => {
    expect(read(['$2\r\n\xff\xfe\r\n'])).toEqual([{ kind: 'text', text: '\xff\xfe' }]);
  });

  it.each(['HTTP/1.1 400 Bad Request\r\n', '$-1\r\n', '*x\r\n', '$99999999999\r\n', '\r\n'])(
    'refuses %j',
    (text) => {
      expect(() => read([text])).toThrow(SyntaxError);
    },
  );
});
