import { describe, expect, it } from 'vitest';
import {
  parseStateLine,
  renderSession,
  STATE_FORMAT,
  STATE_VERSION,
} from '../../../src/state/state-format.ts';
import { ALLOCATION, FINISHED, parseState, SAVED_AT, SESSION, stateText } from './saved.ts';

const TEXT = stateText([SESSION, FINISHED]);
const STATE = parseState(TEXT);
/** The smallest that has everything: damage to every byte of it is tried. */
const SMALL = stateText([{ ...SESSION, open: [ALLOCATION] }]);

/** Bytes that stand for all others in place of one: letters, digits, quotes, brackets, blanks, none. */
const OTHER_BYTES = [
  '',
  'x',
  '7',
  '-',
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  ' ',
  '\n',
  '\u0000',
];

const NOT_OURS = 'it is not a state file of coturn-exporter';

/** What a text means: the state, or `refused`. Throws when it crashed. */
function meaningOf(text: string): unknown {
  try {
    return parseState(text);
  } catch (error) {
    if (error instanceof SyntaxError) return 'refused';
    throw error;
  }
}

/** Where a value's own content stands: inside its quotes, or its digits, true, false and null. */
function contentOf(text: string): boolean[] {
  const isContent = new Array<boolean>(text.length).fill(false);
  const TOKEN = /"(?:[^"\\]|\\.)*"|[-\d.e]+|true|false|null/g;
  for (const { index, 0: token } of text.matchAll(TOKEN)) {
    const end = index + token.length;
    // A string before a colon is a name, which is structure.
    if (text[end] === ':') continue;
    const quotes = token.startsWith('"') ? 1 : 0;
    isContent.fill(true, index + quotes, end - quotes);
  }
  return isContent;
}

/** What each damage to one place of the structure means, if it is neither refused nor harmless. */
function misreadings(text: string): string[] {
  const whole = JSON.stringify(parseState(text));
  const content = contentOf(text);
  const wrong: string[] = [];
  for (let at = 0; at < text.length; at += 1) {
    if (content[at] === true) continue;
    for (const byte of OTHER_BYTES) {
      const damaged = text.slice(0, at) + byte + text.slice(at + 1);
      const meaning = meaningOf(damaged);
      if (meaning !== 'refused' && JSON.stringify(meaning) !== whole) {
        wrong.push(
          `${at} ${JSON.stringify(byte)}: …${damaged.slice(Math.max(0, at - 20), at + 20)}…`,
        );
      }
    }
  }
  return wrong;
}

/** A file of version 2, whose lines have names. */
function named(sessions: readonly object[]): string {
  const [header = ''] = TEXT.replace('"version":3', '"version":2').split('\n');
  const lines = sessions.map((session) => JSON.stringify({ ...session, isShown: undefined }));
  return `${[header, ...lines, JSON.stringify({ end: lines.length })].join('\n')}\n`;
}

describe('parseState', () => {
  it('reads what was rendered', () => {
    expect(STATE).toEqual({
      header: { format: STATE_FORMAT, version: STATE_VERSION, savedAt: SAVED_AT, isFinal: true },
      sessions: [SESSION, FINISHED],
    });
  });

  it('reads a state without sessions', () => {
    expect(parseState(stateText([], false))).toMatchObject({
      header: { isFinal: false },
      sessions: [],
    });
  });

  it('takes a file for not final that another process has gone on from', () => {
    const text = TEXT.replace('"isFinal":true', '"isFinal":null');
    expect(parseState(text).header.isFinal).toBe(false);
    expect(meaningOf(TEXT.replace('"isFinal":true', '"isFinal":"true"'))).toBe('refused');
  });

  it('refuses every beginning of a file', () => {
    for (let length = 0; length < TEXT.length; length += 1) {
      expect(meaningOf(TEXT.slice(0, length))).toBe('refused');
    }
  });

  it('refuses every end of a file', () => {
    for (let start = 1; start <= TEXT.length; start += 1) {
      expect(meaningOf(TEXT.slice(start))).toBe('refused');
    }
  });

  it('refuses a file without one of its lines, and with one of them twice', () => {
    const lines = TEXT.split('\n').slice(0, -1);
    for (const at of lines.keys()) {
      const without = lines.toSpliced(at, 1);
      const twice = lines.toSpliced(at, 0, lines[at] ?? '');
      expect(meaningOf(`${without.join('\n')}\n`)).toBe('refused');
      expect(meaningOf(`${twice.join('\n')}\n`)).toBe('refused');
    }
  });

  it('refuses two files in one', () => {
    expect(meaningOf(TEXT + TEXT)).toBe('refused');
  });

  it('refuses damage to one byte of the structure, unless the meaning stays', () => {
    expect(misreadings(SMALL)).toEqual([]);
  });

  it('survives any damage to any byte', () => {
    for (let at = 0; at < SMALL.length; at += 1) {
      for (const byte of OTHER_BYTES) meaningOf(SMALL.slice(0, at) + byte + SMALL.slice(at + 1));
    }
  });

  it.each([
    ['a blank line', '\n', NOT_OURS],
    ['a text', 'hello\nworld\n', NOT_OURS],
    ['a JSON array', '[]\n{"end":0}\n', NOT_OURS],
    ['JSON null', 'null\n{"end":0}\n', NOT_OURS],
    ['another JSON file', '{"name":"x"}\n{"end":0}\n', NOT_OURS],
    ['records', '{"event":"session_finished"}\n', NOT_OURS],
    ['a header alone', `${TEXT.split('\n')[0]}\n`, 'it is cut'],
    [
      'a time beyond what a record can tell',
      TEXT.replace(SAVED_AT, '+275760-09-13T00:00:00.000Z'),
      'it does not tell when it was saved',
    ],
  ])('refuses %s and says why', (_what, text, why) => {
    expect(() => parseState(text)).toThrow(new SyntaxError(why));
  });

  it('reads a file of version 2, whose lines have names', () => {
    const text = named([SESSION, FINISHED]).replaceAll(',"attributes":null', '');
    expect(text).not.toContain('attributes');
    expect(parseState(text).sessions).toEqual([SESSION, FINISHED]);
    expect(() => parseState(text.replace('"version":2', '"version":3'))).toThrow('line 2 is bad');
  });

  it('reads a file of version 1, which does not tell what came later', () => {
    const old = named([SESSION])
      .replace('"version":2', '"version":1')
      .replaceAll(',"attributes":null', '')
      .replaceAll(/,"(?:mostBytes|relayedSoFar|suspect|held)":(?:\d+|"\w+"|true|\[[^\]]*\])/g, '');
    expect(old).not.toMatch(/mostBytes|relayedSoFar|suspect|held|attributes/);
    const open = SESSION.open.map((one) => ({ ...one, suspect: false, held: null }));
    const session = { ...SESSION, mostBytes: 0, relayedSoFar: 'unknown', open };
    expect(parseState(old).sessions).toEqual([session]);
    expect(() => parseState(old.replace('"version":1', '"version":2'))).toThrow('is bad');
  });

  it.each([0, -1, 4, 99, 1.5, '"1"', 'null', '[1]'])('refuses version %s', (version) => {
    const text = TEXT.replace('"version":3', `"version":${version}`);
    expect(() => parseState(text)).toThrow(/^its version .* is not known, this one knows 3$/);
  });

  it.each([
    ['a session without an id', { ...SESSION, id: undefined }],
    ['a session whose realm is a number', { ...SESSION, realm: 7 }],
    ['a session whose start is a text', { ...SESSION, startedAtMs: '7' }],
    ['a session with three numbers of traffic', { ...SESSION, client: [1, 2, 3] }],
    ['a session with five numbers of traffic', { ...SESSION, peer: [1, 2, 3, 4, 5] }],
    ['a session with a broken number of bytes', { ...SESSION, client: [1, 2.5, 3, 4] }],
    ['a session with more bytes than 2^53', { ...SESSION, client: [1, 2 ** 53, 3, 4] }],
    ['a session without allocations', { ...SESSION, open: undefined }],
    ['a session whose allocations are an object', { ...SESSION, open: {} }],
    ['an allocation that is null', { ...SESSION, open: [null] }],
    ['an allocation without a key', { ...SESSION, open: [{ ...ALLOCATION, key: undefined }] }],
    [
      'an allocation without a lifetime',
      { ...SESSION, open: [{ ...ALLOCATION, lifetimeMs: null }] },
    ],
    ['a total that is a number', { ...SESSION, open: [{ ...ALLOCATION, peerTotal: 7 }] }],
    ['a total that is left out', { ...SESSION, open: [{ ...ALLOCATION, clientTotal: undefined }] }],
  ])('refuses %s, and names the line', (_what, session) => {
    const text = named([session]);
    expect(() => parseState(text)).toThrow(new SyntaxError('line 2 is bad'));
  });

  it('keeps attributes, which are texts', () => {
    const session = { ...SESSION, attributes: { tenant: '21', device: '' } };
    const line = renderSession(session);
    expect(parseStateLine(line, STATE_VERSION)).toEqual({ kind: 'session', session });
    for (const bad of ['21', '["21"]', '{}', '{"tenant":21}', '"21"']) {
      const damaged = line.replace(/\{[^}]*\}/, bad);
      expect(parseStateLine(damaged, STATE_VERSION)).toBeUndefined();
    }
  });

  it('looks at every value of a line', () => {
    const row: unknown[] = JSON.parse(renderSession(SESSION));
    const [allocation]: unknown[][] = JSON.parse(renderSession(SESSION)).at(-1);
    if (allocation === undefined) throw new Error('A session without allocations');
    const damaged = [
      ...[...row.keys()].map((at) => row.with(at, {})),
      ...[...allocation.keys()].map((at) => row.with(-1, [allocation.with(at, {})])),
    ];
    expect(damaged.length).toBeGreaterThan(40);
    for (const bad of damaged) {
      expect(parseStateLine(JSON.stringify(bad), STATE_VERSION)).toBeUndefined();
    }
  });

  it.each([
    ['a time that no record can tell', '1700000000000', '8.64e15'],
    ['a time that is endless', '1700000000000', '1e999'],
    ['a lifetime below 0', ',600000,', ',-600000,'],
    ['an unknown reason', '"expired"', '"exploded"'],
    ['an unknown transport', '"udp","none",true', '"warp","none",true'],
    ['bytes below 0', '[1,2,3,4]', '[1,-2,3,4]'],
    ['a value too many', ',[1,2,3,4]', ',0,[1,2,3,4]'],
  ])('refuses %s', (_what, found, instead) => {
    const line = renderSession(SESSION);
    expect(line).toContain(found);
    expect(meaningOf(TEXT.replace(line, line.replace(found, instead)))).toBe('refused');
  });

  it('keeps names that are special to JavaScript apart from objects', () => {
    const session = { ...SESSION, userName: '__proto__', realm: 'constructor' };
    expect(parseState(stateText([session])).sessions).toEqual([session]);
  });
});
