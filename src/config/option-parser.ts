import { parseArgs } from 'node:util';
import { ConfigError, nearestName, quote } from './config-error.ts';
import { redactUrl } from './redact.ts';
import type { ValueType } from './values.ts';

/** A flag without a value: false unless given. In the environment it takes `true` or `false`. */
interface SwitchOption {
  readonly kind: 'switch';
  readonly help: string;
}

/** A flag that may be given once. Its default is written as a user would write it. */
type SingleOption<T> = {
  readonly kind: 'single';
  readonly type: ValueType<NonNullable<T>>;
  readonly help: string;
  /** Replaces the default in help texts. */
  readonly defaultHelp?: string;
} & (undefined extends T ? { readonly default?: undefined } : { readonly default: string });

/** A flag that may be given several times; an empty list unless given. */
interface ListOption<T> {
  readonly kind: 'list';
  readonly type: ValueType<T>;
  readonly help: string;
  /** What an empty list amounts to, for help texts; default: `none`. */
  readonly defaultHelp?: string;
}

/** The row that yields a value of type `T`: a switch, a list or a single value. */
type Option<T> = [T] extends [boolean]
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

/**
 * The options of `table` as the flags part of a help text: 80 columns, ends in a line break.
 *
 * @param defaults stand in place of those in the table, by flag
 */
export function renderOptions<V extends object>(
  table: OptionTable<V>,
  defaults: Readonly<Record<string, string>> = {},
): string {
  return [...rowsOf(table)]
    .map(([name, option]) => {
      const notes = [
        ...(option.kind === 'list' ? ['repeatable'] : []),
        ...(option.kind === 'switch' ? [] : [`default: ${defaults[name] ?? defaultOf(option)}`]),
      ];
      const text = notes.length > 0 ? `${option.help} (${notes.join('; ')})` : option.help;
      return `  ${usageOf(name, option)}\n${wrap(text, '      ')}`;
    })
    .join('');
}

/**
 * What holds for each option of `table`, a line each, and where it came from: the flag, the variable,
 * or `default`, which is told in the words of the help text. Without secrets.
 *
 *     --log.level=debug  # COTURN_EXPORTER_LOG_LEVEL
 *
 * @throws {ConfigError} like {@link parseOptions}
 */
export function describeOptions<V extends object>(
  table: OptionTable<V>,
  argv: readonly string[],
  env: Environment = {},
): string {
  const rows = rowsOf(table);
  const flags = readArguments(rows, argv);
  let text = '';
  for (const [name, option] of rows) {
    const given = flags.get(name) ?? readVariable(name, option, env);
    for (const value of shownValues(option, given)) {
      text += `--${name}=${value}  # ${given?.origin ?? 'default'}\n`;
    }
  }
  return text;
}

function shownValues(option: AnyOption, given: Given | undefined): readonly string[] {
  if (given === undefined) return [option.kind === 'switch' ? 'false' : defaultOf(option)];
  const redactValue = option.kind === 'switch' ? undefined : option.type.redact;
  return given.texts.map((text) => quote(redactValue?.(text) ?? text).slice(1, -1));
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

/**
 * Takes the names of files out of the arguments of a command: what is no flag and no value of one,
 * `-`, and all that stands after `--`.
 */
export function splitArguments<V extends object>(
  table: OptionTable<V>,
  argv: readonly string[],
): { readonly flags: readonly string[]; readonly names: readonly string[] } {
  const rows = rowsOf(table);
  const takesValue = (flag: string): boolean => {
    const row = rows.get(flag.replace(/^--/, ''));
    return row !== undefined && row.kind !== 'switch';
  };
  const flags: string[] = [];
  const names: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? '';
    if (argument === '--') return { flags, names: [...names, ...argv.slice(index + 1)] };
    if (argument === '-' || !argument.startsWith('-')) {
      names.push(argument);
      continue;
    }
    flags.push(argument);
    const value = argv[index + 1];
    if (takesValue(argument) && value !== undefined) {
      flags.push(value);
      index += 1;
    }
  }
  return { flags, names };
}

function rowsOf<V extends object>(table: OptionTable<V>): Map<string, AnyOption> {
  return new Map<string, AnyOption>(Object.entries(table));
}

/** `node:util` splits the arguments; its own judgement is not asked, for its errors repeat values. */
function readArguments(
  rows: ReadonlyMap<string, AnyOption>,
  argv: readonly string[],
): Map<string, Given> {
  const types = [...rows].map(
    ([name, { kind }]) => [name, { type: kind === 'switch' ? 'boolean' : 'string' }] as const,
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(types),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const found = new Map<string, Given>();
  for (const token of tokens) {
    const written = argv[token.index] ?? '';
    if (token.kind !== 'option') throw unexpectedArgument(written);
    const { name, rawName } = token;
    const option = rawName === `--${name}` ? rows.get(name) : undefined;
    if (option === undefined) throw unknownFlag(rows, written);
    const earlier = found.get(name)?.texts ?? [];
    if (earlier.length > 0 && option.kind !== 'list') {
      throw new ConfigError(`Repeated flag --${name}: expected once`);
    }
    found.set(name, { origin: `--${name}`, texts: [...earlier, textOf(option, token)] });
  }
  return found;
}

/** What was given to a flag; `inlineValue` tells `--name=value` from `--name value`. */
function textOf(
  option: AnyOption,
  {
    name,
    value,
    inlineValue,
  }: { name: string; value?: string | undefined; inlineValue?: boolean | undefined },
): string {
  if (option.kind === 'switch') {
    if (!inlineValue) return 'true';
    throw new ConfigError(`Cannot parse --${name} ${quote(value ?? '')}: expected no value`);
  }
  if (value === undefined || (!inlineValue && value.startsWith('--'))) {
    throw new ConfigError(`Missing value of --${name}: expected ${option.type.expected}`);
  }
  return value;
}

function unexpectedArgument(text: string): ConfigError {
  const shown = quote(text.includes('@') ? redactUrl(text) : text);
  return new ConfigError(`Unexpected argument ${shown}: expected flags, see --help`);
}

/** What follows an unknown name is not shown: it may be a secret. */
function unknownFlag(rows: ReadonlyMap<string, AnyOption>, text: string): ConfigError {
  const flag = text.replace(/=.*$/s, '');
  const nearest = nearestName(flag.replace(/^--?/, ''), rows.keys());
  const advice = nearest === undefined ? 'see --help' : `did you mean --${nearest}?`;
  return new ConfigError(`Unknown flag ${quote(flag)}: ${advice}`);
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

/** Environment variables by name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'COTURN_EXPORTER_';

/**
 * What Kubernetes sets in every pod of a namespace with a Service `coturn-exporter` (or
 * `coturn-exporter-…`), as in kubernetes.io/docs/concepts/services-networking/service:
 * `…_SERVICE_HOST`, `…_SERVICE_PORT_HTTP`, `…_PORT_10641_TCP_ADDR`. `…_PORT` is known by its value.
 */
const SERVICE_LINK =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;
const SERVICE_PORT_VALUE = /^(?:tcp|udp|sctp):\/\//;

/** The environment variable of a flag: `redis.tls-ca-file` → `COTURN_EXPORTER_REDIS_TLS_CA_FILE`. */
export function variableOf(flag: string): string {
  return PREFIX + flag.toUpperCase().replaceAll(/[.-]/g, '_');
}

/**
 * Refuses every `COTURN_EXPORTER_…` variable that belongs to none of `flags` (names without
 * dashes), since a mistyped one would silently leave a default in force. Values are not shown.
 * Kubernetes' service links are let pass.
 *
 * @throws {ConfigError} naming the first unknown variable and the one probably meant
 */
export function rejectUnknownVariables(env: Environment, flags: Iterable<string>): void {
  const known = new Set([...flags].map(variableOf));
  for (const [name, value] of Object.entries(env)) {
    const isOurs = name.startsWith(PREFIX) && value !== undefined;
    if (isOurs && !known.has(name) && !isServiceLink(name, value)) {
      const names = [...known].map((each) => each.slice(PREFIX.length));
      const nearest = nearestName(name.slice(PREFIX.length).toUpperCase(), names);
      const advice = nearest === undefined ? 'see --help' : `did you mean ${PREFIX}${nearest}?`;
      throw new ConfigError(`Unknown environment variable ${printable(name)}: ${advice}`);
    }
  }
}

function isServiceLink(name: string, value: string): boolean {
  return SERVICE_LINK.test(name) || (name.endsWith('_PORT') && SERVICE_PORT_VALUE.test(value));
}

function printable(name: string): string {
  return name.slice(0, 120).replaceAll(/[^\w.-]/g, '?');
}
