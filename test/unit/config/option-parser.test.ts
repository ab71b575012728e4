import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import {
  type OptionTable,
  parseOptions,
  renderMarkdown,
  renderOptions,
} from '../../../src/config/option-parser.ts';
import { choice, duration, filePath, wholeNumber } from '../../../src/config/values.ts';

interface Values {
  readonly seed: number;
  readonly 'call.length': number;
  readonly target: readonly string[];
  readonly mode: 'fast' | 'slow';
  readonly 'out-file': string | undefined;
  readonly quiet: boolean;
}

const TABLE: OptionTable<Values> = {
  seed: { kind: 'single', type: wholeNumber({ min: 0, max: 99 }), default: '1', help: 'Seed.' },
  'call.length': { kind: 'single', type: duration(), default: '2m', help: 'Length of a call.' },
  target: { kind: 'list', type: filePath(), help: 'Where to.', defaultHelp: 'nowhere' },
  mode: { kind: 'single', type: choice(['fast', 'slow']), default: 'fast', help: 'Mode.' },
  'out-file': { kind: 'single', type: filePath(), help: 'Output.' },
  quiet: { kind: 'switch', help: 'Says nothing.' },
};

const DEFAULTS: Values = {
  seed: 1,
  'call.length': 120_000,
  target: [],
  mode: 'fast',
  'out-file': undefined,
  quiet: false,
};

describe('parseOptions', () => {
  it.each<[string[], Record<string, string>, Partial<Values>]>([
    [[], {}, {}],
    [['--seed', '7'], {}, { seed: 7 }],
    [['--seed=7', '--mode=slow', '--quiet'], {}, { seed: 7, mode: 'slow', quiet: true }],
    [['--out-file', '-'], {}, { 'out-file': '-' }],
    [['--out-file=--x'], {}, { 'out-file': '--x' }],
    [['--out-file=a=b'], {}, { 'out-file': 'a=b' }],
    [['--target', 'a', '--target=b,c'], {}, { target: ['a', 'b,c'] }],
    [[], { COTURN_EXPORTER_CALL_LENGTH: '5s' }, { 'call.length': 5_000 }],
    [['--seed=7'], { COTURN_EXPORTER_SEED: '8' }, { seed: 7 }],
    [['--target=x'], { COTURN_EXPORTER_TARGET: 'a b' }, { target: ['x'] }],
    [[], { COTURN_EXPORTER_TARGET: ' a, b c ,d' }, { target: ['a', 'b', 'c', 'd'] }],
    [[], { COTURN_EXPORTER_QUIET: 'true' }, { quiet: true }],
    [[], { COTURN_EXPORTER_QUIET: 'false' }, { quiet: false }],
    [['--quiet'], { COTURN_EXPORTER_QUIET: 'false' }, { quiet: true }],
    [[], { COTURN_EXPORTER_OTHER: 'x', SEED: '9' }, {}],
  ])('reads %j with %j', (argv, env, values) => {
    expect(parseOptions(TABLE, argv, env)).toEqual({ ...DEFAULTS, ...values });
  });

  it.each<[string[], Record<string, string>, string]>([
    [['--seed', '100'], {}, 'Cannot parse --seed "100": expected a whole number from 0 to 99'],
    [['--seed='], {}, 'Cannot parse --seed "": expected a whole number from 0 to 99'],
    [['--seed', '-1'], {}, 'Cannot parse --seed "-1": expected a whole number from 0 to 99'],
    [['--seed'], {}, 'Missing value of --seed: expected a whole number from 0 to 99'],
    [['--seed', '--quiet'], {}, 'Missing value of --seed: expected a whole number from 0 to 99'],
    [['--seed=1', '--seed=1'], {}, 'Repeated flag --seed: expected once'],
    [['--quiet', '--quiet'], {}, 'Repeated flag --quiet: expected once'],
    [['--quiet=true'], {}, 'Cannot parse --quiet "true": expected no value'],
    [['--sede=1'], {}, 'Unknown flag "--sede": did you mean --seed?'],
    [['--call-length', '5s'], {}, 'Unknown flag "--call-length": did you mean --call.length?'],
    [['--length', '5s'], {}, 'Unknown flag "--length": did you mean --call.length?'],
    [['-seed', '7'], {}, 'Unknown flag "-seed": did you mean --seed?'],
    [['-x'], {}, 'Unknown flag "-x": see --help'],
    [['--SEED', '7'], {}, 'Unknown flag "--SEED": see --help'],
    [['--password=s3cret'], {}, 'Unknown flag "--password": see --help'],
    [['--__proto__=1'], {}, 'Unknown flag "--__proto__": see --help'],
    [['--constructor'], {}, 'Unknown flag "--constructor": see --help'],
    [['--=1'], {}, 'Unknown flag "--": see --help'],
    [['--'], {}, 'Unexpected argument "--": expected flags, see --help'],
    [['-'], {}, 'Unexpected argument "-": expected flags, see --help'],
    [[''], {}, 'Unexpected argument "": expected flags, see --help'],
    [['redis://u:s3cret@h'], {}, 'Unexpected argument "redis://***@h": expected flags, see --help'],
    [['u:s3cret@h'], {}, 'Unexpected argument "***@h": expected flags, see --help'],
    [['--mode', 'a\nb'], {}, 'Cannot parse --mode "a\\nb": expected one of fast, slow'],
    [
      ['--mode', '\u2028\u009b'],
      {},
      'Cannot parse --mode "\\u{2028}\\u{9b}": expected one of fast, slow',
    ],
    [
      [],
      { COTURN_EXPORTER_SEED: 'x' },
      'Cannot parse COTURN_EXPORTER_SEED "x": expected a whole number from 0 to 99',
    ],
    [
      [],
      { COTURN_EXPORTER_SEED: '' },
      'Cannot parse COTURN_EXPORTER_SEED "": expected a whole number from 0 to 99',
    ],
    [
      [],
      { COTURN_EXPORTER_TARGET: '' },
      'Cannot parse COTURN_EXPORTER_TARGET "": expected the path of a file',
    ],
    [
      [],
      { COTURN_EXPORTER_TARGET: 'a,' },
      'Cannot parse COTURN_EXPORTER_TARGET "": expected the path of a file',
    ],
    [
      [],
      { COTURN_EXPORTER_QUIET: '1' },
      'Cannot parse COTURN_EXPORTER_QUIET "1": expected true or false',
    ],
    [
      [],
      { COTURN_EXPORTER_QUIET: '' },
      'Cannot parse COTURN_EXPORTER_QUIET "": expected true or false',
    ],
  ])('refuses %j with %j', (argv, env, message) => {
    expect(() => parseOptions(TABLE, argv, env)).toThrow(new ConfigError(message));
  });

  it('cuts long values in messages', () => {
    expect(() => parseOptions(TABLE, ['--mode', 'x'.repeat(9_999)])).toThrow(
      `Cannot parse --mode "${'x'.repeat(120)}…": expected one of fast, slow`,
    );
  });

  it('throws nothing but one-line ConfigErrors', () => {
    const word = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(...Object.keys(TABLE).map((name) => `--${name}`), '=', '--', 'fast', '5s'),
    );
    const argument = fc.array(word, { maxLength: 3 }).map((words) => words.join(''));
    fc.assert(
      fc.property(fc.array(argument, { maxLength: 6 }), argument, (argv, seed) => {
        try {
          parseOptions(TABLE, argv, { COTURN_EXPORTER_SEED: seed });
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
          expect(String(error)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('renderOptions', () => {
  it('shows placeholders, defaults and what can be repeated', () => {
    const { mode: _mode, seed: _seed, 'out-file': _file, ...rest } = TABLE;
    expect(renderOptions<Pick<Values, 'call.length' | 'target' | 'quiet'>>(rest)).toBe(`\
  --call.length=DURATION
      Length of a call. (default: 2m)
  --target=FILE
      Where to. (repeatable; default: nowhere)
  --quiet
      Says nothing.
`);
  });
});

describe('renderMarkdown', () => {
  it('escapes bars in cells', () => {
    expect(renderMarkdown<Pick<Values, 'mode'>>({ mode: TABLE.mode })).toBe(`\
| Flag | Environment | Default | Meaning |
| --- | --- | --- | --- |
| \`--mode=fast\\|slow\` | \`COTURN_EXPORTER_MODE\` | \`fast\` | Mode. |
`);
  });
});
