import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { RE2JS } from 're2js';
import { showText } from '../coturn/text.ts';
import { type Attributes, createUserName, type Hide, type UserNames } from '../domain/user.ts';
import type { Config } from './config.ts';
import { ConfigError, quote } from './config-error.ts';
import { MAX_CONFIG_BYTES, readBytes } from './files.ts';
import { readText } from './read-file.ts';

/** The group of `--user.pattern` that becomes the user. */
const USER_GROUP = 'user';
/** Hexadecimal digits of a hidden name: two of a million users share one by 1 in 37 million. */
const HIDDEN_LENGTH = 16;

type Groups = Readonly<Record<string, string | null>>;

/**
 * What `--user.label`, `--user.pattern` and `--user.hash-key-file` make of usernames.
 *
 * @throws {ConfigError} when the pattern or the key cannot be used
 */
export async function openUserNames(users: Config['users']): Promise<UserNames> {
  const { pattern, hashKeyFile } = users;
  const byLabel = createUserName(users);
  const hide = hashKeyFile === undefined ? undefined : createHide(readKey(hashKeyFile));
  if (pattern === undefined) return { userName: byLabel, hide };
  const regexp = await compile(pattern);
  const groupsOf = (username: string): Groups | undefined => {
    const matcher = regexp.matcher(username);
    return matcher.find() ? matcher.getNamedGroups() : undefined;
  };
  return {
    userName: (username) => groupsOf(username)?.[USER_GROUP] || byLabel(username),
    attributes: (username) => attributesOf(groupsOf(username)),
    hide,
  };
}

/** The groups that took part in the match; undefined for none. */
function attributesOf(groups: Groups | undefined): Attributes | undefined {
  const attributes = Object.entries(groups ?? {}).filter(
    (group): group is [string, string] => group[0] !== USER_GROUP && group[1] !== null,
  );
  return attributes.length === 0 ? undefined : Object.fromEntries(attributes);
}

/** Loaded here: its tables of Unicode take 18 ms, and most have no pattern. */
async function compile(pattern: string): Promise<RE2JS> {
  const { RE2JS, RE2JSSyntaxException } = await import('re2js');
  const faultOf = (text: string): string | undefined => {
    try {
      RE2JS.compile(text);
      return undefined;
    } catch (cause) {
      if (!(cause instanceof RE2JSSyntaxException)) throw cause;
      return cause.getDescription();
    }
  };
  const fault = faultOf(pattern);
  if (fault !== undefined) {
    // The library names the fault and not its place: the character from which on it is there.
    let position = pattern.length;
    while (position > 1 && faultOf(pattern.slice(0, position - 1)) === fault) position -= 1;
    throw new ConfigError(
      `Cannot parse --user.pattern ${quote(pattern)}: ${fault} at character ${position}, expected a regular expression as RE2 knows them`,
    );
  }
  const regexp = RE2JS.compile(pattern);
  if (Object.keys(regexp.namedGroups()).length === 0) {
    throw new ConfigError(
      `Cannot use --user.pattern ${quote(pattern)}: expected a named group such as (?<user>.+)`,
    );
  }
  return regexp;
}

/** The bytes of the file, without the line break at its end. */
function readKey(path: string): KeyObject {
  const bytes = readText(['user.hash-key-file', path], (file) =>
    readBytes(file, { maxBytes: MAX_CONFIG_BYTES }).toString('latin1'),
  );
  return createSecretKey(Buffer.from((bytes ?? '').replace(/\r?\n$/, ''), 'latin1'));
}

/** The first digits of HMAC-SHA-256, as `openssl dgst -hmac` tells them too. */
function createHide(key: KeyObject): Hide {
  return (text) =>
    createHmac('sha256', key).update(showText(text)).digest('hex').slice(0, HIDDEN_LENGTH);
}
