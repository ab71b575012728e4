import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WireMessage } from '../../../../src/coturn/delta.ts';
import { createCommandReader } from '../../../../src/sources/resp/commands.ts';
import {
  COMMAND_LIMITS,
  MAX_INLINE_BYTES,
  UNAUTHENTICATED_LIMITS,
} from '../../../../src/sources/resp/limits.ts';
import { keyOf, payloadTextOf } from '../../../support/wire-message.ts';
import { byteByByte, Collector, decode, encode } from './decoded.ts';

const KEY = 'turn/realm/example.org/user/alice/allocation/001000000000000001/traffic';
const PAYLOAD = 'rcvp=2048, rcvb=350000, sentp=2048, sentb=352256';

describe('createCommandReader', () => {
  const good: [string, string | Buffer, string[][]][] = [
    ['a publish', encode('publish', KEY, PAYLOAD), [['publish', KEY, PAYLOAD]]],
    ['a publish in mixed case', encode('PubLish', KEY, PAYLOAD), [['PubLish', KEY, PAYLOAD]]],
    ['an empty key and payload', encode('publish', '', ''), [['publish', '', '']]],
    ['a publish short of an argument', encode('publish', KEY), [['publish', KEY]]],
    ['a publish with one too many', encode('PUBLISH', 'a', 'b', 'c'), [['PUBLISH', 'a', 'b', 'c']]],
    ['a word as long as publish', encode('xublish', 'a', 'b'), [['xublish', 'a', 'b']]],
    ['an empty argument', encode('del', KEY, ''), [['del', KEY, '']]],
    ['the AUTH of coturn 4.6.1', encode('AUTH', ''), [['AUTH', '']]],
    ['line ends inside an argument', encode('echo', 'a\r\n*1\r\n'), [['echo', 'a\r\n*1\r\n']]],
    [
      'UTF-8',
      encode('publish', 'turn/realm/ü/user/café', 'x'),
      [['publish', 'turn/realm/ü/user/café', 'x']],
    ],
    ['a UTF-8 payload', encode('publish', 'k', '€🙂'), [['publish', 'k', '€🙂']]],
    ['UTF-8 elsewhere', encode('echo', '日本'), [['echo', '日本']]],
    [
      'invalid UTF-8 as lone surrogates, which keep the bytes',
      Buffer.from('*3\r\n$7\r\npublish\r\n$2\r\na\xff\r\n$1\r\nb\r\n', 'latin1'),
      [['publish', 'a\udcff', 'b']],
    ],
    ['NUL bytes', encode('publish', 'a\0b', '\0'), [['publish', 'a\0b', '\0']]],
    ['an array of nothing', '*0\r\n*1\r\n$4\r\nPING\r\n', [['PING']]],
    ['zeros before a length', '*01\r\n$0004\r\nPING\r\n', [['PING']]],
    ['an inline command', 'PING\r\n', [['PING']]],
    ['an inline command without CR', 'PING\n', [['PING']]],
    ['inline arguments', 'publish  a\tb \r\n', [['publish', 'a', 'b']]],
    ['inline quotes', `publish "a b" 'c "d'\r\n`, [['publish', 'a b', 'c "d']]],
    ['an empty inline argument', 'AUTH ""\r\n', [['AUTH', '']]],
    ['inline UTF-8', 'ECHO é\r\n', [['ECHO', 'é']]],
    ['empty lines', '\r\n\nPING\r\n\r\n', [['PING']]],
    [
      'inline and arrays in turn',
      `PING\r\n${encode('echo', 'x')}PING\r\n`,
      [['PING'], ['echo', 'x'], ['PING']],
    ],
    [
      'the longest argument',
      encode('echo', 'x'.repeat(COMMAND_LIMITS.maxArgumentBytes)),
      [['echo', 'x'.repeat(COMMAND_LIMITS.maxArgumentBytes)]],
    ],
  ];

  it.each(good)('decodes %s', (_, input, expected) => {
    const bytes = Buffer.from(input);
    expect(decode(bytes)).toEqual({ commands: expected, error: undefined });
    if (bytes.length > 1_000) return;
    expect(decode(...byteByByte(bytes))).toEqual({ commands: expected, error: undefined });
    for (let at = 0; at <= bytes.length; at++) {
      const halves = decode(bytes.subarray(0, at), bytes.subarray(at));
      expect(halves).toEqual({ commands: expected, error: undefined });
    }
  });

  const bad: [string, string | Buffer, string][] = [
    ['binary garbage', Buffer.from([0, 1, 2, 3]), 'unexpected_byte'],
    ['a TLS hello', Buffer.from([0x16, 3, 1, 2, 0]), 'unexpected_byte'],
    ['a high byte first', Buffer.from([0xff]), 'unexpected_byte'],
    ['a reply', '+OK\r\n', 'unexpected_byte'],
    ['a bulk string alone', '$4\r\nPING\r\n', 'unexpected_byte'],
    ['a RESP3 map', '%1\r\n', 'unexpected_byte'],
    ['a space first', ' PING\r\n', 'unexpected_byte'],
    ['a control character inline', 'PI\0NG\r\n', 'unexpected_byte'],
    ['a DEL character inline', 'PING \x7f\r\n', 'unexpected_byte'],
    ['a negative count', '*-1\r\n', 'invalid_length'],
    ['no count', '*\r\n', 'invalid_length'],
    ['a count in hex', '*0x1\r\n', 'invalid_length'],
    ['a count with a plus', '*+1\r\n', 'invalid_length'],
    ['a count with a space', '* 1\r\n', 'invalid_length'],
    ['a count that ends in LF', '*1\n$4\r\nPING\r\n', 'invalid_length'],
    ['a count that ends in CR', '*1\r$4\r\nPING\r\n', 'invalid_length'],
    ['a count of 20 digits', '*18446744073709551616\r\n', 'invalid_length'],
    ['a count without an end', `*${'0'.repeat(100)}`, 'invalid_length'],
    ['too many arguments', '*1025\r\n', 'too_many_arguments'],
    ['a million arguments', '*1000000\r\n', 'too_many_arguments'],
    ['a nested array', '*1\r\n*1\r\n$4\r\nPING\r\n', 'expected_bulk'],
    ['an integer argument', '*1\r\n:1\r\n', 'expected_bulk'],
    ['an inline word as argument', '*1\r\nPING\r\n', 'expected_bulk'],
    ['a nested array in a publish', '*3\r\n$7\r\npublish\r\n*1\r\n', 'expected_bulk'],
    ['a negative length', '*1\r\n$-1\r\n', 'invalid_length'],
    ['a negative length in a publish', '*3\r\n$7\r\npublish\r\n$-4\r\n', 'invalid_length'],
    ['a length that is no number', '*1\r\n$abc\r\n', 'invalid_length'],
    ['a length of 512 MB', '*1\r\n$536870912\r\n', 'invalid_length'],
    ['a length just beyond', '*1\r\n$65537\r\n', 'argument_too_long'],
    ['a long key', '*3\r\n$7\r\npublish\r\n$9999999\r\n', 'argument_too_long'],
    ['a long payload', '*3\r\n$7\r\npublish\r\n$1\r\na\r\n$65537\r\n', 'argument_too_long'],
    ['an argument longer than told', '*1\r\n$3\r\nPING\r\n', 'missing_terminator'],
    ['a CR without LF behind it', '*1\r\n$4\r\nPING\rx', 'missing_terminator'],
    [
      'a key longer than told',
      '*3\r\n$7\r\npublish\r\n$1\r\nab\r\n$1\r\nb\r\n',
      'missing_terminator',
    ],
    [
      'three arguments that sum up',
      `*3\r\n${`$65536\r\n${'x'.repeat(65536)}\r\n`.repeat(2)}$65536\r\n`,
      'command_too_long',
    ],
    ['a long inline line', `PING ${'x'.repeat(MAX_INLINE_BYTES)}\r\n`, 'inline_too_long'],
    ['an inline line without an end', 'x'.repeat(MAX_INLINE_BYTES + 1), 'inline_too_long'],
    ['an open quote', 'ECHO "abc\r\n', 'inline_malformed'],
    ['text behind a quote', 'ECHO "a"b\r\n', 'inline_malformed'],
    ['an HTTP POST', 'POST / HTTP/1.1\r\n', 'cross_protocol'],
    ['the header of an HTTP request', 'GET / HTTP/1.1\r\nHost: x\r\n', 'cross_protocol'],
  ];

  it.each(bad)('refuses %s', (_, input, reason) => {
    const bytes = Buffer.from(input);
    expect(decode(bytes).error).toBe(reason);
    if (bytes.length > 2_000) return;
    expect(decode(...byteByByte(bytes)).error).toBe(reason);
    for (let at = 0; at <= bytes.length; at++) {
      expect(decode(bytes.subarray(0, at), bytes.subarray(at)).error).toBe(reason);
    }
  });

  it('decodes what comes before an error and nothing after it', () => {
    const { commands, error } = decode(
      Buffer.from('PING\r\n*-1\r\nPING\r\n'),
      Buffer.from('PING\r\n'),
    );
    expect(commands).toEqual([['PING']]);
    expect(error).toBe('invalid_length');
  });

  it('holds nothing after an error', () => {
    const reader = createCommandReader(new Collector(), COMMAND_LIMITS);
    reader.push(Buffer.from('*2\r\n$4\r\nPI'));
    expect(reader.pendingBytes).toBe(10);
    reader.push(Buffer.from('xxxx'));
    expect(reader.pendingBytes).toBe(0);
  });

  it('hands a known delta out once', () => {
    const taken: string[][] = [];
    const handler = {
      messageInPlace: (one: WireMessage) => taken.push([keyOf(one), payloadTextOf(one)]) > 0,
      message: () => expect.unreachable(),
      command: () => expect.unreachable(),
    };
    createCommandReader(handler, COMMAND_LIMITS).push(encode('publish', KEY, PAYLOAD));
    expect(taken).toEqual([[KEY, PAYLOAD]]);
  });

  it('applies new limits from the next command on', () => {
    const collector = new Collector();
    const reader = createCommandReader(collector, UNAUTHENTICATED_LIMITS);
    expect(reader.push(encode('echo', 'x'.repeat(16_384)))).toBeUndefined();
    reader.limits = COMMAND_LIMITS;
    expect(reader.push(encode('echo', 'x'.repeat(16_385)))).toBeUndefined();
    reader.limits = UNAUTHENTICATED_LIMITS;
    expect(reader.push(encode('echo', 'x'.repeat(16_385)))).toBe('argument_too_long');
    expect(collector.commands).toHaveLength(2);
  });

  it('never holds more than the limit', () => {
    const reader = createCommandReader(new Collector(), COMMAND_LIMITS);
    // A thousand arguments of a kilobyte each pass every limit but the one of the command.
    let error = reader.push(Buffer.from('*1024\r\n'));
    const argument = Buffer.from(`$1000\r\n${'x'.repeat(1_000)}\r\n`);
    let highest = 0;
    let sent = 0;
    while (error === undefined) {
      error = reader.push(argument);
      highest = Math.max(highest, reader.pendingBytes);
      sent++;
    }
    expect(error).toBe('command_too_long');
    expect(sent).toBeLessThan(140);
    expect(highest).toBeLessThanOrEqual(COMMAND_LIMITS.maxCommandBytes);
  });

  it('refuses many small arguments that never end', () => {
    const header = '*1024\r\n';
    const body = `$999\r\n${'x'.repeat(999)}\r\n`.repeat(200);
    expect(decode(Buffer.from(header + body)).error).toBe('command_too_long');
  });

  it('takes a large argument byte by byte without looking at it again and again', () => {
    const collector = new Collector();
    const reader = createCommandReader(collector, COMMAND_LIMITS);
    for (const byte of byteByByte(encode('echo', 'x'.repeat(65_536)))) reader.push(byte);
    expect(collector.commands[0]?.[1]).toHaveLength(65_536);
    expect(reader.pendingBytes).toBe(0);
  });

  it('decodes any commands split anywhere', () => {
    const command = fc.array(fc.string({ unit: 'binary', maxLength: 40 }), {
      minLength: 1,
      maxLength: 6,
    });
    const cuts = fc.array(fc.nat(2_000), { maxLength: 10 });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 8 }), cuts, (commands, offsets) => {
        const bytes = Buffer.concat(commands.map((args) => encode(...args)));
        const sorted = [0, ...offsets.sort((a, b) => a - b), bytes.length];
        const chunks = sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
        expect(decode(...chunks)).toEqual({ commands, error: undefined });
      }),
    );
  });

  it('never throws on any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (chunks) => {
        decode(...chunks.map((chunk) => Buffer.from(chunk)));
        decode(...chunks.map((chunk) => Buffer.concat([Buffer.from('*2\r\n$1\r\n'), chunk])));
      }),
    );
  });
});

describe('recorded streams', () => {
  const files = ['4.6.1', '4.17.1'].flatMap((version) =>
    Array.from({ length: 8 }, (_, index) => `${version}/wire.conn${index + 1}.bin`),
  );

  it.each(files)('%s decodes alike whole, byte by byte and split at every boundary', (file) => {
    const bytes = readFileSync(new URL(`../../../fixtures/wire/${file}`, import.meta.url));
    const whole = decode(bytes);
    expect(whole.error).toBeUndefined();
    // hiredis writes one form only, so the commands say the bytes again.
    expect(Buffer.concat(whole.commands.map((args) => encode(...args))).equals(bytes)).toBe(true);
    expect(decode(...byteByByte(bytes))).toEqual(whole);
    for (let at = 0; at <= bytes.length; at++) {
      const split = decode(bytes.subarray(0, at), bytes.subarray(at));
      // Compared as text: deep comparison of thousands of arrays takes seconds.
      expect(JSON.stringify(split)).toBe(JSON.stringify(whole));
    }
  });

  it.each([
    ['4.6.1', { auth: 8, select: 8, keys: 2, del: 6, set: 10, publish: 29 }],
    ['4.17.1', { select: 8, keys: 2, del: 4, set: 10, publish: 20 }],
  ])('holds every command of %s', (version, expected) => {
    const bytes = readFileSync(
      new URL(`../../../fixtures/wire/${version}/wire.bin`, import.meta.url),
    );
    const counts: Record<string, number> = {};
    for (const [name = ''] of decode(bytes).commands) {
      counts[name.toLowerCase()] = (counts[name.toLowerCase()] ?? 0) + 1;
    }
    expect(counts).toEqual(expected);
  });
});
