import { isIP, isIPv4, SocketAddress } from 'node:net';
import { unmapIpv4 } from '../coturn/connection.ts';
import { ConfigError, quote } from './config-error.ts';
import { type FileFlag, type ReadFile, readText } from './read-file.ts';
import { isName, NAME_RULE, parseHostPort } from './values.ts';

/** A coturn that is known by the password which only it sends. Secret. */
export interface ServerLogin {
  readonly name: string;
  readonly password: string;
}

/** Names by address, `192.0.2.7` or `2001:db8::7`, or by `address:port` as coturn writes it. */
export type ServerNames = ReadonlyMap<string, string>;

/**
 * The coturn servers of `--statsdb.servers-file`; undefined when it is not given.
 *
 *     # Frankfurt
 *     turn-fra-1:3iAQKUZ2WwYFNbv0
 *
 * @param general the password of `--statsdb.password-file`, which none of them may have
 * @throws {ConfigError} that names the flag, the file and the line
 */
export function readServerLogins(
  path: string | undefined,
  readFile: ReadFile,
  general?: string,
): readonly ServerLogin[] | undefined {
  const flag: FileFlag = ['statsdb.servers-file', path];
  const names = new Set<string>();
  const passwords = new Set(general === undefined ? [] : [general]);
  return readLines(flag, readFile, 'NAME:PASSWORD')?.map(({ text, fail }) => {
    const colon = text.indexOf(':');
    // What stands before the colon could be a part of a password: it is not repeated.
    if (colon === -1) throw fail('expected NAME:PASSWORD');
    const name = text.slice(0, colon);
    const password = text.slice(colon + 1);
    if (!isName(name)) throw fail(`expected ${NAME_RULE} before the colon`);
    if (password === '') throw fail(`expected a password for ${name}`);
    if (names.has(name)) throw fail(`expected ${name} once`);
    if (passwords.has(password)) throw fail(`expected a password of its own for ${name}`);
    names.add(name);
    passwords.add(password);
    return { name, password };
  });
}

/**
 * The names of `--server.names-file`; empty when it is not given.
 *
 *     192.0.2.7             turn-fra-1
 *     [2001:db8::7]:3478    turn-fra-1
 *
 * @throws {ConfigError} that names the flag, the file and the line
 */
export function readServerNames(path: string | undefined, readFile: ReadFile): ServerNames {
  const names = new Map<string, string>();
  for (const { text, fail } of readLines(['server.names-file', path], readFile, 'ADDRESS NAME') ??
    []) {
    const [written = '', name, ...more] = text.split(/[\t ]+/);
    if (name === undefined || more.length > 0) throw fail('expected ADDRESS NAME');
    const address = canonicalAddress(written);
    if (address === undefined) {
      throw fail('expected an IP address such as 192.0.2.7, 192.0.2.7:3478 or [2001:db8::7]:3478');
    }
    if (!isName(name)) throw fail(`expected ${NAME_RULE} after the address`);
    if (names.has(address)) throw fail(`expected ${address} once`);
    names.set(address, name);
  }
  return names;
}

interface Line {
  readonly text: string;
  /** What is wrong with it. */
  readonly fail: (why: string) => ConfigError;
}

/** All lines but blank ones and comments. */
function readLines(flag: FileFlag, readFile: ReadFile, form: string): Line[] | undefined {
  const [name, path = ''] = flag;
  const start = `Cannot use --${name} ${quote(path)}`;
  const lines = readText(flag, readFile)
    ?.split('\n')
    .map((text, index) => ({
      text: text.replace(/\r$/, ''),
      fail: (why: string) => new ConfigError(`${start}: line ${index + 1}: ${why}`),
    }))
    .filter(({ text }) => !/^\s*(?:#|$)/.test(text));
  if (lines?.length === 0) throw new ConfigError(`${start}: expected a line ${form}`);
  return lines;
}

/** As coturn and Node.js write it, so that texts can be compared. */
function canonicalAddress(written: string): string | undefined {
  if (isIP(written) !== 0) return canonicalIp(written);
  const parsed = parseHostPort(written, { minPort: 1, defaultPort: 0 });
  if (!parsed.ok || isIP(parsed.value.host) === 0) return undefined;
  const { port } = parsed.value;
  const host = canonicalIp(parsed.value.host);
  if (port === 0) return host;
  return `${isIPv4(host) ? host : `[${host}]`}:${port}`;
}

function canonicalIp(address: string): string {
  if (isIPv4(address)) return address;
  return unmapIpv4(new SocketAddress({ address, family: 'ipv6' }).address);
}
