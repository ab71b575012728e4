import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from 'yaml';
import { ConfigError, nearestName, quote } from './config-error.ts';
import { CIPHER_SUITES, CLIENT_AUTH_TYPES, CURVES, TLS_VERSIONS } from './go-tls-names.ts';

/** The file of `--web.config.file`, in the format of Prometheus' exporter-toolkit. Holds secrets. */
export interface WebConfig {
  /** Absent: plain HTTP. */
  readonly tls?: WebTlsConfig;
  readonly http2: boolean;
  /** Added to every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** bcrypt hashes by user; empty: nobody needs to log in. */
  readonly users: ReadonlyMap<string, string>;
  /** Absent: no limit. */
  readonly rateLimit?: RateLimit;
}

/** One request per interval in the long run, and as many as `burst` at once. */
export interface RateLimit {
  readonly intervalMs: number;
  readonly burst: number;
}

/** A PEM text, or the name of a file that holds it. */
export type PemSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'text'; readonly text: string };

/** `tls_server_config`. Names are Go's until {@link toTlsOptions} translates them. */
export interface WebTlsConfig {
  readonly cert: PemSource;
  readonly key: PemSource;
  readonly clientCa?: PemSource;
  readonly clientAuth: keyof typeof CLIENT_AUTH_TYPES;
  /** Names of which a client's certificate must have one; absent: any. */
  readonly allowedSans?: readonly string[];
  readonly ciphers: readonly string[];
  readonly curves: readonly string[];
  readonly minVersion: keyof typeof TLS_VERSIONS;
  readonly maxVersion: keyof typeof TLS_VERSIONS;
  readonly prefersServerCiphers: boolean;
}

const SECTIONS = ['tls_server_config', 'http_server_config', 'basic_auth_users', 'rate_limit'];
const TLS_KEYS = [
  'cert',
  'key',
  'client_ca',
  'cert_file',
  'key_file',
  'client_auth_type',
  'client_ca_file',
  'client_allowed_sans',
  'cipher_suites',
  'curve_preferences',
  'min_version',
  'max_version',
  'prefer_server_cipher_suites',
];
/** Headers that may be set; those with a list take one of its values only. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  'Strict-Transport-Security': [],
  'X-Content-Type-Options': ['nosniff'],
  'X-Frame-Options': ['deny', 'sameorigin'],
  'X-XSS-Protection': [],
  'Content-Security-Policy': [],
};
/** `$2y$10$` and 53 characters: 22 of salt, 31 of hash. */
const BCRYPT = /^\$2[abxy]?\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;
const MAX_CHARACTERS = 1024 * 1024;

/**
 * Reads the text of a web configuration.
 *
 * @throws {ConfigError} `line 3: unknown key …`, for the caller to say of which file
 */
export function parseWebConfig(text: string): WebConfig {
  if (text.length > MAX_CHARACTERS) throw new ConfigError('expected at most 1 MiB');
  const reader = new YamlReader(text);
  const sections = reader.map(reader.root, 'the file', SECTIONS);
  const tls = readTls(reader, sections.get('tls_server_config'));
  const http = reader.map(sections.get('http_server_config'), 'http_server_config', [
    'http2',
    'headers',
  ]);
  const rateLimit = readRateLimit(reader, sections.get('rate_limit'));
  const config = {
    http2: reader.boolean(http.get('http2'), true),
    headers: readHeaders(reader, http.get('headers')),
    users: readUsers(reader, sections.get('basic_auth_users')),
    ...(tls === undefined ? {} : { tls }),
    ...(rateLimit === undefined ? {} : { rateLimit }),
  };
  if (tls !== undefined && config.http2) rejectWithoutHttp2Cipher(tls);
  return config;
}

function readTls(reader: YamlReader, section: Value): WebTlsConfig | undefined {
  const of = reader.map(section, 'tls_server_config', TLS_KEYS);
  const text = (key: string): string => reader.text(of.get(key));
  const cert = pemSource(text('cert_file'), text('cert'));
  const key = pemSource(text('key_file'), text('key'));
  const clientCa = pemSource(text('client_ca_file'), text('client_ca'));
  const given = text('client_auth_type');
  const authNode = of.get('client_auth_type');
  if (cert === undefined && key === undefined && clientCa === undefined && given === '') {
    // As the toolkit has it: without these the rest of the section says nothing.
    readTlsRules(reader, of);
    return undefined;
  }
  if (cert === undefined) throw reader.fault(section, 'expected cert_file or cert');
  if (key === undefined) throw reader.fault(section, 'expected key_file or key');
  const clientAuth = given === '' ? 'NoClientCert' : given;
  if (!hasKey(CLIENT_AUTH_TYPES, clientAuth)) {
    throw reader.unknown(authNode, 'client_auth_type', Object.keys(CLIENT_AUTH_TYPES));
  }
  if (clientCa !== undefined && clientAuth === 'NoClientCert') {
    throw reader.fault(section, 'expected a client_auth_type with client_ca_file or client_ca');
  }
  const sans = of.get('client_allowed_sans');
  return {
    cert,
    key,
    clientAuth,
    ...readTlsRules(reader, of),
    ...(clientCa === undefined ? {} : { clientCa }),
    ...(reader.isNull(sans)
      ? {}
      : { allowedSans: reader.list(sans).map((name) => reader.text(name)) }),
  };
}

type TlsRules = Pick<
  WebTlsConfig,
  'ciphers' | 'curves' | 'minVersion' | 'maxVersion' | 'prefersServerCiphers'
>;

function readTlsRules(reader: YamlReader, of: ReadonlyMap<string, Value>): TlsRules {
  const names = (key: string, what: string, known: Readonly<Record<string, unknown>>): string[] =>
    reader.list(of.get(key)).map((name) => {
      if (!hasKey(known, reader.text(name))) throw reader.unknown(name, what, Object.keys(known));
      return reader.text(name);
    });
  const version = <V extends string>(key: string, otherwise: V): V => {
    if (reader.isNull(of.get(key))) return otherwise;
    const given = reader.text(of.get(key));
    if (!hasKey(TLS_VERSIONS, given)) {
      throw reader.unknown(of.get(key), key, Object.keys(TLS_VERSIONS));
    }
    return given as string as V;
  };
  const rules = {
    ciphers: names('cipher_suites', 'cipher', CIPHER_SUITES),
    curves: names('curve_preferences', 'curve', CURVES),
    minVersion: version<TlsRules['minVersion']>('min_version', 'TLS12'),
    maxVersion: version<TlsRules['maxVersion']>('max_version', 'TLS13'),
    prefersServerCiphers: reader.boolean(of.get('prefer_server_cipher_suites'), true),
  };
  if (rules.minVersion > rules.maxVersion) {
    throw reader.fault(
      of.get('min_version') ?? of.get('max_version'),
      'expected min_version to be at most max_version',
    );
  }
  return rules;
}

/** A file wins over a text, as in the toolkit. */
function pemSource(path: string, text: string): PemSource | undefined {
  if (path !== '') return { kind: 'file', path };
  return text === '' ? undefined : { kind: 'text', text };
}

/** RFC 9113 §9.2.2 wants one of these with TLS 1.2; Go does not start without. */
function rejectWithoutHttp2Cipher({ ciphers, minVersion }: WebTlsConfig): void {
  if (ciphers.length === 0 || minVersion === 'TLS13') return;
  if (ciphers.some((name) => /^TLS_ECDHE_(RSA|ECDSA)_WITH_AES_128_GCM_SHA256$/.test(name))) return;
  throw new ConfigError(
    'expected TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or its ECDSA twin among cipher_suites, or http2: false',
  );
}

function readHeaders(reader: YamlReader, section: Value): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, node] of reader.map(section, 'headers', Object.keys(HEADERS))) {
    const value = reader.text(node);
    const allowed = HEADERS[name] ?? [];
    if (allowed.length > 0 && !allowed.includes(value)) {
      throw reader.fault(node, `expected ${name} to be ${allowed.join(' or ')}`);
    }
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      throw reader.fault(node, `expected ${name} on one line, without control characters`);
    }
    if (value !== '') headers[name.toLowerCase()] = value;
  }
  return headers;
}

function readUsers(reader: YamlReader, section: Value): Map<string, string> {
  const users = new Map<string, string>();
  for (const [user, node] of reader.map(section, 'basic_auth_users')) {
    const hash = reader.text(node);
    // Not repeated: who wrote a password instead of its hash should not find it in a log.
    if (!BCRYPT.test(hash)) throw reader.fault(node, `expected a bcrypt hash for ${quote(user)}`);
    users.set(user, hash);
  }
  return users;
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

function readRateLimit(reader: YamlReader, section: Value): RateLimit | undefined {
  const of = reader.map(section, 'rate_limit', ['interval', 'burst']);
  const text = reader.text(of.get('interval'));
  const intervalMs = text === '' ? 0 : durationMs(text);
  if (intervalMs === undefined) {
    throw reader.fault(of.get('interval'), 'expected an interval such as 500ms, 1s or 1m30s');
  }
  const burst = Number(reader.text(of.get('burst')));
  if (!Number.isSafeInteger(burst) || burst < 0) {
    throw reader.fault(of.get('burst'), 'expected a burst of 1 or more requests');
  }
  if (intervalMs === 0) return undefined;
  if (burst === 0) throw reader.fault(section, 'expected a burst of 1 or more requests');
  return { intervalMs, burst };
}

/** Go's durations: `1m30s`, `0.5s`, `0`. */
function durationMs(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, number = '', unit = ''] of text.matchAll(/([\d.]+)([a-zµ]+)/g)) {
    sum += Number(number) * (UNITS_MS[unit] ?? 0);
  }
  return sum;
}

function hasKey<T extends object>(table: T, key: string): key is keyof T & string {
  return Object.hasOwn(table, key);
}

/** What stands behind a key; undefined where the key is missing. */
type Value = Node | null | undefined;

/** Reads YAML 1.1 as Go's yaml.v2 does into a struct: strictly, and knowing where things stand. */
class YamlReader {
  readonly root: Value;
  readonly #document: Document;
  readonly #lines = new LineCounter();

  constructor(text: string) {
    this.#document = parseDocument(text, {
      version: '1.1',
      lineCounter: this.#lines,
      prettyErrors: false,
    });
    const [error] = this.#document.errors;
    if (error !== undefined) {
      // Its message is not used, for it may repeat a secret.
      const { line } = this.#lines.linePos(error.pos[0]);
      throw new ConfigError(
        `line ${line}: not YAML (${error.code.toLowerCase().replaceAll('_', ' ')})`,
      );
    }
    this.root = this.#document.contents;
  }

  /** What to throw about a node. */
  fault(node: Value, message: string): ConfigError {
    const offset = node?.range?.[0];
    if (offset === undefined) return new ConfigError(message);
    return new ConfigError(`line ${this.#lines.linePos(offset).line}: ${message}`);
  }

  unknown(node: Value, what: string, known: readonly string[]): ConfigError {
    const given = this.text(node);
    const nearest = nearestName(given, known);
    const advice =
      nearest === undefined ? `expected ${known.join(', ')}` : `did you mean ${nearest}?`;
    return this.fault(node, `unknown ${what} ${quote(given)}: ${advice}`);
  }

  isNull(value: Value): boolean {
    const node = this.#resolved(value);
    return node === undefined || node === null || (isScalar(node) && node.value === null);
  }

  /** The values of a map by key; empty where there is none. Keys other than `known` are faults. */
  map(value: Value, name: string, known?: readonly string[]): Map<string, Value> {
    const values = new Map<string, Value>();
    if (this.isNull(value)) return values;
    const node = this.#resolved(value);
    if (!isMap(node)) throw this.fault(node, `expected keys and values in ${name}`);
    for (const { key, value: of } of node.items as Pair<Node, Node | null>[]) {
      const text = this.text(key);
      if (known !== undefined && !known.includes(text)) throw this.unknown(key, 'key', known);
      // An alias is known to the document only, and two of them may name one key.
      if (values.has(text)) throw this.fault(key, `repeated key ${quote(text)}`);
      values.set(text, of ?? undefined);
    }
    return values;
  }

  list(value: Value): readonly Value[] {
    if (this.isNull(value)) return [];
    const node = this.#resolved(value);
    if (!isSeq(node)) throw this.fault(node, 'expected a list');
    return node.items as Node[];
  }

  /** The text of a scalar, also where it looks like a number; empty for null. */
  text(value: Value): string {
    const node = this.#resolved(value);
    if (node === undefined || node === null) return '';
    if (!isScalar(node)) throw this.fault(node, 'expected a text');
    if (node.value === null) return '';
    return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
  }

  boolean(value: Value, otherwise: boolean): boolean {
    if (this.isNull(value)) return otherwise;
    const node = this.#resolved(value);
    if (isScalar(node) && typeof node.value === 'boolean') return node.value;
    throw this.fault(node, 'expected true or false');
  }

  #resolved(value: Value): Value {
    return isAlias(value) ? value.resolve(this.#document) : value;
  }
}
