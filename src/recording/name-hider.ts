import { createHmac, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { addressOf } from '../coturn/connection.ts';
import { buildAllocationKey, parseStatsKey } from '../coturn/key.ts';
import { KEEPALIVE_CHANNEL } from '../coturn/patterns.ts';
import { parseEvent } from '../coturn/payload.ts';

/** Replaces what tells people, realms and machines apart by what tells no more than that. */
export interface NameHider {
  /** A message whose names and addresses are hashes; of one that cannot be read, all of it is. */
  hide(channel: string, message: string): { channel: string; message: string };
  /** Of a coturn server or a source: its address or its name. */
  hideServer(server: string): string;
}

/** The time until which a name of the TURN REST API holds, and what separates it: `1795306257:`. */
const EXPIRY = /^\d{10,20}\W/;
const ID_LENGTH = 18;
const HASH_LENGTH = 10;

/**
 * Hides names behind hashes whose key nobody has: equal names have equal hashes in what one hider
 * wrote, and none can be guessed back. Loopback addresses stay as they are.
 */
export function createNameHider(secret: Buffer = randomBytes(32)): NameHider {
  const hash = (text: string): string =>
    createHmac('sha256', secret).update(text).digest('hex').slice(0, HASH_LENGTH);
  const hideAddress = (address: string): string => {
    const family = isIP(address);
    if (address === '::1' || (family === 4 && address.startsWith('127.'))) return address;
    const bytes = Buffer.from(hash(address), 'hex');
    if (family === 4) return ['10', ...bytes.subarray(0, 3)].join('.');
    if (family === 6) return `fd00::${bytes.toString('hex', 0, 2)}:${bytes.toString('hex', 2, 4)}`;
    return `server-${hash(address)}`;
  };
  const hideEndpoint = (endpoint: string): string => {
    const port = endpoint.slice(endpoint.lastIndexOf(':'));
    const address = hideAddress(addressOf(endpoint));
    return address.includes(':') ? `[${address}]${port}` : `${address}${port}`;
  };
  const hideField = (field: string): string => {
    const [name = '', value = ''] = split(field, '=');
    if (['local', 'remote'].includes(name)) return `${name}=${hideEndpoint(value)}`;
    return ['type', 'ssl', 'cipher'].includes(name) ? field : `${name}=${hash(value)}`;
  };
  const hideUser = (username: string): string => {
    const [expiry = ''] = EXPIRY.exec(username) ?? [];
    const name = username.slice(expiry.length);
    return `${expiry}${name === '' ? '' : `user-${hash(name)}`}`;
  };
  return {
    hideServer: hideAddress,
    hide(channel, message) {
      if (channel === KEEPALIVE_CHANNEL) return { channel, message };
      const key = parseStatsKey(channel);
      // It may be a name, or a part of the memory of coturn.
      if (!key.ok)
        return { channel: `hidden-${hash(channel)}`, message: `hidden-${hash(message)}` };
      const { allocationKey, realm, username, topic } = key;
      const hidden = buildAllocationKey(
        realm === '' ? '' : `realm-${hash(realm)}`,
        hideUser(username),
        allocationKey.slice(-ID_LENGTH),
      );
      return { channel: `${hidden}/${topic}`, message: hideMessage() };

      function hideMessage(): string {
        if (!parseEvent(topic, message).ok) return `hidden-${hash(message)}`;
        if (topic !== 'status') return message;
        const [what = '', ...fields] = message.split(', ');
        return [what, ...fields.map(hideField)].join(', ');
      }
    },
  };
}

/** A text cut in two at the first separator. */
function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
