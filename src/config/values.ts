import { isIPv4, isIPv6 } from 'node:net';

/** The outcome of reading one value; `expected` replaces the general text of its type. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly expected?: string };

/** How one kind of value is written, read and explained. */
export interface ValueType<T> {
  /** Stands for the value in help texts, such as `DURATION`. */
  readonly placeholder: string;
  /** What the value has to be; follows "expected" in error messages. */
  readonly expected: string;
  /** Reads a value. Never throws. */
  readonly parse: (text: string) => Parsed<T>;
  /** Makes a refused value fit for an error message when it may hold a secret. */
  readonly redact?: (text: string) => string;
  /** What stands between several values in an environment variable; default: spaces or commas. */
  readonly separator?: RegExp;
}

/** Inclusive bounds of a number. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** A TCP address. An empty `host` means every address of the machine, IPv4 and IPv6. */
export interface HostPort {
  /** Host name or IP address; IPv6 without brackets. */
  readonly host: string;
  /** 0 when listening picks a free port. */
  readonly port: number;
}

const MS_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/;

/** The path of a file; nothing is opened. */
export function filePath(expected = 'the path of a file'): ValueType<string> {
  const isPath = (text: string): boolean => text !== '' && !text.includes('\0');
  return {
    placeholder: 'FILE',
    expected,
    parse: (text) => (isPath(text) ? done(text) : { ok: false }),
  };
}

/** Year, month and day in the name of a file, as `strftime` writes them; `%%` is a percent sign. */
const DATE_PARTS: Readonly<Record<string, (date: string) => string>> = {
  '%Y': (date) => date.slice(0, 4),
  '%m': (date) => date.slice(5, 7),
  '%d': (date) => date.slice(8, 10),
  '%F': (date) => date,
  '%%': () => '%',
};

/** Whether a path has a date in its name. */
export function isDated(path: string): boolean {
  return /%[YmdF]/.test(path.replaceAll('%%', ''));
}

/** The path for a moment (UTC): `sessions-%Y-%m-%d.jsonl` → `sessions-2026-11-21.jsonl`. */
export function datedPath(path: string, unixMs: number): string {
  const date = new Date(unixMs).toISOString().slice(0, 10);
  return path.replaceAll(/%./gs, (part) => DATE_PARTS[part]?.(date) ?? part);
}

/** A path whose name may hold a date; where it does, it names the day, so that no file is reused. */
export function datedFilePath(expected: string): ValueType<string> {
  const type = filePath(expected);
  return {
    ...type,
    parse: (text) => {
      const path = type.parse(text);
      if (!path.ok) return path;
      const parts = new Set(text.match(/%.?/gs));
      if ([...parts].some((part) => DATE_PARTS[part] === undefined)) {
        return { ok: false, expected: 'only %Y, %m, %d, %F and %% after a percent sign' };
      }
      const isDay = parts.has('%F') || ['%Y', '%m', '%d'].every((part) => parts.has(part));
      if (isDated(text) && (!isDay || isDated(text.slice(0, text.lastIndexOf('/') + 1)))) {
        return { ok: false, expected: 'year, month and day (%Y-%m-%d) in the name of the file' };
      }
      return path;
    },
  };
}

/** `userid`: exactly one of `names`. */
export function choice<const T extends string>(names: readonly T[]): ValueType<T> {
  return {
    placeholder: names.length > 4 ? 'NAME' : names.join('|'),
    expected: `one of ${names.join(', ')}`,
    parse: (text) => {
      const value = names.find((name) => name === text);
      return value === undefined ? { ok: false } : done(value);
    },
  };
}

/** What {@link isName} allows; follows "expected". */
export const NAME_RULE = 'a name of up to 64 letters, digits, dots, dashes and underscores';

/** `a`, `eu-1.example`: fit for a label, a log line and a query. */
export function isName(text: string): boolean {
  return /^[\w.-]{1,64}$/.test(text);
}

/** A name as {@link isName} allows it. */
export function name(): ValueType<string> {
  return {
    placeholder: 'NAME',
    expected: NAME_RULE,
    parse: (text) => (isName(text) ? done(text) : { ok: false }),
  };
}

/** `10000`: plain decimal digits within the bounds; no sign, no leading zeros. */
export function wholeNumber(range: Range): ValueType<number> {
  return {
    placeholder: 'NUMBER',
    expected: `a whole number from ${range.min} to ${range.max}`,
    parse: (text) => (/^(?:0|[1-9]\d*)$/.test(text) ? within(Number(text), range) : { ok: false }),
  };
}

/** `0.25`: decimal digits with or without a fraction, within the bounds; no sign, no exponent. */
export function decimalNumber(range: Range): ValueType<number> {
  return {
    placeholder: 'NUMBER',
    expected: `a number from ${range.min} to ${range.max}`,
    parse: (text) => (/^\d+(?:\.\d+)?$/.test(text) ? within(Number(text), range) : { ok: false }),
  };
}

/** `500ms`, `5s`, `2m`, `1h` → milliseconds; whole numbers only. `range` is in milliseconds. */
export function duration(range: Range = { min: 0, max: 86_400_000 }): ValueType<number> {
  const outside = `a duration from ${formatDuration(range.min)} to ${formatDuration(range.max)}`;
  return {
    placeholder: 'DURATION',
    expected: 'a duration such as 500ms, 5s, 2m or 1h',
    parse: (text) => {
      const [, digits, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
      if (digits === undefined || unit === undefined) {
        return { ok: false };
      }
      const milliseconds = within(Number(digits) * (MS_PER_UNIT.get(unit) ?? Number.NaN), range);
      return milliseconds.ok ? milliseconds : { ok: false, expected: outside };
    },
  };
}

/** `127.0.0.1:6380`, `[::1]:6380`, `localhost:6380`, `:6380` (every address); port 0 is allowed. */
export function listenAddress(): ValueType<HostPort> {
  const type = 'an address to listen on such as 127.0.0.1:6380, [::1]:6380 or :6380';
  return {
    placeholder: 'HOST:PORT',
    expected: type,
    parse: (text) => {
      const everywhere = text.startsWith(':') && !text.startsWith('::');
      const value = parseHostPort(everywhere ? `0.0.0.0${text}` : text, { minPort: 0 });
      if (!value.ok) {
        return value;
      }
      return done(everywhere ? { host: '', port: value.value.port } : value.value);
    },
  };
}

/**
 * `redis.example.org:6379`, `[2001:db8::7]:6379` → host in lower case and port.
 *
 * @param options.defaultPort used when the text has no port; without it a port is required
 */
export function parseHostPort(
  text: string,
  options: { readonly minPort: number; readonly defaultPort?: number },
): Parsed<HostPort> {
  const [, bracketed, plain, digits] = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(text) ?? [];
  const host = (bracketed ?? plain ?? '').toLowerCase();
  const isHost = bracketed === undefined ? isHostName(host) : isIPv6(host);
  if (!isHost) {
    return { ok: false };
  }
  if (digits === undefined) {
    const { defaultPort } = options;
    return defaultPort === undefined ? { ok: false } : done({ host, port: defaultPort });
  }
  const type = wholeNumber({ min: options.minPort, max: 65_535 });
  const port = type.parse(digits);
  return port.ok
    ? done({ host, port: port.value })
    : { ok: false, expected: `a port that is ${type.expected}` };
}

/** `host:port` as people write it, with brackets around IPv6; `:port` for every address. */
export function formatHostPort(address: HostPort): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** Milliseconds in the largest unit that holds them whole: 60000 → `1m`, 0 → `0s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) {
    return '0s';
  }
  const units = [...MS_PER_UNIT].reverse();
  const [unit, size] = units.find(([, each]) => milliseconds % each === 0) ?? ['ms', 1];
  return `${milliseconds / size}${unit}`;
}

/** A name made of digits and dots only is meant to be an IPv4 address. */
function isHostName(host: string): boolean {
  return /^[\d.]+$/.test(host) ? isIPv4(host) : HOST_NAME.test(host);
}

function within(value: number, range: Range): Parsed<number> {
  return value >= range.min && value <= range.max ? done(value) : { ok: false };
}

function done<T>(value: T): Parsed<T> {
  return { ok: true, value };
}
