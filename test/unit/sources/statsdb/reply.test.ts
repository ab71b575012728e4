import { describe, expect, it } from 'vitest';
import {
  arrayReply,
  bulkReply,
  errorReply,
  integerReply,
  MAX_UNREAD_BYTES,
  printable,
  ReplyBatch,
  simpleReply,
} from '../../../../src/sources/statsdb/reply-batch.ts';

class FakeOutput {
  readonly written: string[] = [];
  writableLength = 0;

  write(data: string | Uint8Array): void {
    this.written.push(typeof data === 'string' ? data : Buffer.from(data).toString());
  }
}

describe('replies', () => {
  it.each([
    [simpleReply('PONG'), '+PONG\r\n'],
    [simpleReply('a\r\nb'), '+a  b\r\n'],
    [errorReply('ERR no'), '-ERR no\r\n'],
    [errorReply('ERR a\n+OK'), '-ERR a +OK\r\n'],
    [integerReply(7), ':7\r\n'],
    [bulkReply(''), '$0\r\n\r\n'],
    [bulkReply('é\r\n'), '$4\r\né\r\n\r\n'],
    [arrayReply([]), '*0\r\n'],
    [arrayReply([integerReply(1), bulkReply('a')]), '*2\r\n:1\r\n$1\r\na\r\n'],
  ])('encodes %j', (encoded, expected) => {
    expect(encoded).toBe(expected);
  });

  it('shows what a peer sent without control characters and cut', () => {
    expect(printable('a\r\n\0\x1b[31mb\x7f')).toBe('a[31mb');
    expect(printable('x'.repeat(100))).toHaveLength(64);
  });
});

describe('ReplyBatch', () => {
  it('writes once for a chunk, in order', () => {
    const output = new FakeOutput();
    const batch = new ReplyBatch(output);
    batch.addOne();
    batch.addOne();
    batch.add('+OK\r\n');
    batch.addOne();
    expect(output.written).toEqual([]);
    batch.flush();
    batch.flush();
    expect(output.written).toEqual([':1\r\n:1\r\n+OK\r\n:1\r\n']);
  });

  it('writes in between when much is collected', () => {
    const output = new FakeOutput();
    const batch = new ReplyBatch(output);
    batch.add('x'.repeat(100_000));
    expect(output.written).toHaveLength(1);
  });

  it('stops for good once the peer does not read, and counts what it drops', () => {
    const output = new FakeOutput();
    const batch = new ReplyBatch(output);
    output.writableLength = MAX_UNREAD_BYTES;
    batch.addOne();
    batch.flush();
    expect(batch.isMuted).toBe(false);
    output.writableLength = MAX_UNREAD_BYTES + 1;
    batch.addOne();
    batch.add('+OK\r\n');
    batch.flush();
    output.writableLength = 0;
    batch.addOne();
    batch.flush();
    expect(batch.isMuted).toBe(true);
    expect(output.written).toEqual([':1\r\n']);
    expect(batch.takeDropped()).toBe(3);
    expect(batch.takeDropped()).toBe(0);
  });
});
