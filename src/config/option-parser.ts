import { ConfigError, nearestName, quote } from './config-error.ts';
import { type Environment, variableOf } from './environment.ts';
import { redactUrl } from './redact.ts';
import type { ValueType } from './values.ts';

/** A flag without a value: false unless given. In the environment it takes `true` or `false`. */
export interface SwitchOption {
  readonly kind: 'switch';
  readonly help: string;
}

/** A flag that may be given once. Its default is written as a user would write it. */
export type SingleOption<T> = {
  readonly kind: 'single';
  readonly type: ValueType<NonNullable<T>>;
  readonly help: string;
  /** Replaces the default in help texts. */
  readonly defaultHelp?: string;
} & (undefined extends T ? { readonly default?: undefined } : { readonly default: string });

/** A flag that may be given several times; an empty list unless given. */
export interface ListOption<T> {
  readonly kind: 'list';
  readonly type: ValueType<T>;
  readonly help: string;
  /** What an empty list amounts to, for help texts; default: `none`. */
  readonly defaultHelp?: string;
}

/** The row that yields a value of type `T`: a switch, a list or a single value. */
export type Option<T> = [T] extends [boolean]
  ? SwitchOption
  : [T] extends [readonly (infer Item)[]]
    ? ListOption<Item>
    : SingleOption<T>;

/**
 * The options of one command. Keys are the names of the flags without dashes; `V` has the same
 * keys and the types of the values. The order of rows is the order of the help text.
 */
export type OptionTable<V> = { readonly [Name in keyof V]: Option<V[Name]> };

type AnyOption = SwitchOption | ListOption<unknown> | SingleOption<unknown> | DefaultedOption;
type DefaultedOption = SingleOption<NonNullable<unknown>>;

/** What was written for one option, and where; `origin` names it in messages. */
interface Given {
  readonly origin: string;
  readonly texts: readonly string[];
}

const HELP_COLUMNS = 80;
const DEFAULT_SEPARATOR = /[\s,]+/;

/**
 * The values of all options of `table`. A flag (`--name value` or `--name=value`) beats its
 * environment variable, which beats the default; flags and variables of a list are not merged.
 * A value that starts with `--` needs the form with `=`. Without `env` no variable is read;
 * variables of other options are not looked at (see `rejectUnknownVariables`).
 *
 * @throws {ConfigError} on the first argument or value that cannot be used
 */
export function parseOptions<V extends object>(
  table: OptionTable<V>,
  argv: readonly string[],
  env: Environment = {},
): V {
  const rows = rowsOf(table);
  const flags = readArguments(rows, argv);
  const values = [...rows].map(([name, option]) => {
    const given = flags.get(name) ?? readVariable(name, option, env);
    return [name, readValue(option, given)];
  });
  // The table has the keys of V, and each row's parser yields the type of its key.
  return Object.fromEntries(values) as V;
}

/** The options of `table` as the flags part of a help text: 80 columns, ends in a line break. */
export function renderOptions<V extends object>(table: OptionTable<V>): string {
  return [...rowsOf(table)]
    .map(([name, option]) => {
      const notes = [
        ...(option.kind === 'list' ? ['repeatable'] : []),
        ...(option.kind === 'switch' ? [] : [`default: ${defaultOf(option)}`]),
      ];
      const text = notes.length > 0 ? `${option.help} (${notes.join('; ')})` : option.help;
      return `  ${usageOf(name, option)}\n${wrap(text, '      ')}`;
    })
    .join('');
}

/** The options of `table` as a Markdown table: flag, variable, default, meaning; ends in a line break. */
export function renderMarkdown<V extends object>(table: OptionTable<V>): string {
  const cells = [...rowsOf(table)].map(([name, option]) => [
    `\`${usageOf(name, option)}\``,
    `\`${variableOf(name)}\``,
    option.kind === 'switch' ? 'off' : codeUnlessProse(option),
    option.kind === 'list' ? `${option.help} (repeatable)` : option.help,
  ]);
  const lines = [
    ['Flag', 'Environment', 'Default', 'Meaning'],
    ['---', '---', '---', '---'],
    ...cells,
  ];
  return lines
    .map((line) => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`)
    .join('');
}

function rowsOf<V extends object>(table: OptionTable<V>): Map<string, AnyOption> {
  return new Map<string, AnyOption>(Object.entries(table));
}

function readArguments(
  rows: ReadonlyMap<string, AnyOption>,
  argv: readonly string[],
): Map<string, Given> {
  const found = new Map<string, Given>();
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    const { name, option, attached } = readFlag(rows, argument);
    const earlier = found.get(name)?.texts ?? [];
    if (earlier.length > 0 && option.kind !== 'list') {
      throw new ConfigError(`Repeated flag --${name}: expected once`);
    }
    if (option.kind === 'switch') {
      if (attached !== undefined) {
        throw new ConfigError(`Cannot parse --${name} ${quote(attached)}: expected no value`);
      }
      found.set(name, { origin: `--${name}`, texts: ['true'] });
      continue;
    }
    const text = attached ?? argv[++index];
    if (text === undefined || (attached === undefined && text.startsWith('--'))) {
      throw new ConfigError(`Missing value of --${name}: expected ${option.type.expected}`);
    }
    found.set(name, { origin: `--${name}`, texts: [...earlier, text] });
  }
  return found;
}

/** `--name` or `--name=value`. What follows an unknown name is not shown: it may be a secret. */
function readFlag(
  rows: ReadonlyMap<string, AnyOption>,
  argument: string,
): { name: string; option: AnyOption; attached: string | undefined } {
  if (!argument.startsWith('-') || /^-+$/.test(argument)) {
    const shown = quote(argument.includes('@') ? redactUrl(argument) : argument);
    throw new ConfigError(`Unexpected argument ${shown}: expected flags, see --help`);
  }
  const equals = argument.indexOf('=');
  const flag = equals < 0 ? argument : argument.slice(0, equals);
  const name = flag.replace(/^--?/, '');
  const option = flag.startsWith('--') ? rows.get(name) : undefined;
  if (option === undefined) {
    const nearest = nearestName(name, rows.keys());
    const advice = nearest === undefined ? 'see --help' : `did you mean --${nearest}?`;
    throw new ConfigError(`Unknown flag ${quote(flag)}: ${advice}`);
  }
  return { name, option, attached: equals < 0 ? undefined : argument.slice(equals + 1) };
}

function readVariable(name: string, option: AnyOption, env: Environment): Given | undefined {
  const origin = variableOf(name);
  const text = env[origin];
  if (text === undefined) {
    return undefined;
  }
  if (option.kind !== 'list' || text.trim() === '') {
    return { origin, texts: [text] };
  }
  return { origin, texts: text.trim().split(option.type.separator ?? DEFAULT_SEPARATOR) };
}

function readValue(option: AnyOption, given: Given | undefined): unknown {
  switch (option.kind) {
    case 'switch':
      return given === undefined ? false : parseSwitch(given);
    case 'list':
      return given?.texts.map((text) => parseValue(option.type, text, given.origin)) ?? [];
    case 'single': {
      const text = given?.texts[0] ?? option.default;
      return text === undefined
        ? undefined
        : parseValue(option.type, text, given?.origin ?? 'default');
    }
  }
}

function parseSwitch(given: Given): boolean {
  const text = given.texts[0] ?? '';
  if (text !== 'true' && text !== 'false') {
    throw new ConfigError(`Cannot parse ${given.origin} ${quote(text)}: expected true or false`);
  }
  return text === 'true';
}

function parseValue(type: ValueType<unknown>, text: string, origin: string): unknown {
  const parsed = type.parse(text);
  if (parsed.ok) {
    return parsed.value;
  }
  const shown = quote(type.redact?.(text) ?? text);
  throw new ConfigError(
    `Cannot parse ${origin} ${shown}: expected ${parsed.expected ?? type.expected}`,
  );
}

function usageOf(name: string, option: AnyOption): string {
  return option.kind === 'switch' ? `--${name}` : `--${name}=${option.type.placeholder}`;
}

function defaultOf(option: Exclude<AnyOption, SwitchOption>): string {
  return option.defaultHelp ?? (option.kind === 'single' ? option.default : undefined) ?? 'none';
}

function codeUnlessProse(option: Exclude<AnyOption, SwitchOption>): string {
  const isLiteral = option.kind === 'single' && option.default !== undefined;
  return isLiteral && option.defaultHelp === undefined
    ? `\`${option.default}\``
    : defaultOf(option);
}

/** `text` in lines of at most 80 columns, each after `indent` and with its line break. */
function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.pop();
    const longer = last === undefined ? indent + word : `${last} ${word}`;
    if (last === undefined || longer.length <= HELP_COLUMNS) {
      lines.push(longer);
    } else {
      lines.push(last, indent + word);
    }
  }
  return lines
    .map(
      (line) => `${line}
`,
    )
    .join('');
}
