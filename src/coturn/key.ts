import type { Rejection } from './event.ts';

/** What a message is about: the tail of its key. */
export type Topic = (typeof TOPICS)[number];

/** A key of coturn's statsdb, taken apart. */
export interface StatsKey {
  readonly ok: true;
  /** The key without its topic; names one allocation of one server. */
  readonly allocationKey: string;
  /** As published; empty when coturn has no realm. */
  readonly realm: string;
  /** As published, so chosen by a client and never trusted; empty with `no-auth`. */
  readonly username: string;
  readonly topic: Topic;
}

/**
 * The longest key that is read, in UTF-16 units. coturn's own are below 1,600 bytes (a user name of
 * at most 513 bytes, RFC 8489 §14.3, and a realm of at most 763); more than this is not coturn's.
 */
export const MAX_KEY_LENGTH = 2048;

const TOPICS = [
  'status',
  'traffic',
  'traffic/peer',
  'total_traffic',
  'total_traffic/peer',
] as const;
const WITH_REALM = 'turn/realm/';
const WITHOUT_REALM = 'turn/user/';
const USER = '/user/';
const ALLOCATION = '/allocation/';
export const ID_LENGTH = 18;

/**
 * Takes a key apart. Never throws.
 *
 *     turn/realm/example.org/user/alice/allocation/001000000000000001/traffic/peer
 *     turn/user/alice/allocation/001000000000000001/status
 *
 * Realm and user name are not escaped and may hold `/`, `/user/` and `/allocation/`. The last
 * `/allocation/<18 digits>/<topic>` is always coturn's own, so the key is read from the right; of the
 * two names the user's is the untrusted one, so the first `/user/` ends the realm.
 * Source: coturn 4.5.0.8 to 4.17.1, ns_ioalib_engine_impl.c, `turn_report_allocation_set()`.
 */
export function parseStatsKey(key: string): StatsKey | Rejection {
  if (key.length > MAX_KEY_LENGTH) return { ok: false, reason: 'oversized_key' };
  if (!(key.startsWith(WITH_REALM) || key.startsWith(WITHOUT_REALM))) {
    return { ok: false, reason: 'malformed_key' };
  }
  const topic = topicOf(key);
  if (topic === undefined) return { ok: false, reason: 'unknown_topic' };
  const idEnd = key.length - topic.length - 1;
  const idStart = idEnd - ID_LENGTH;
  const userEnd = idStart - ALLOCATION.length;
  if (userEnd < 0 || !key.startsWith(ALLOCATION, userEnd) || !isDigits(key, idStart, idEnd)) {
    return { ok: false, reason: 'malformed_key' };
  }
  const names = parseNames(key, userEnd);
  if (names === undefined) return { ok: false, reason: 'malformed_key' };
  return {
    ok: true,
    allocationKey: key.slice(0, idEnd),
    realm: names.realm,
    username: names.username,
    topic,
  };
}

/**
 * The key of an allocation as coturn builds it, without a topic; an empty realm is none.
 *
 * @param id coturn's 18 digits
 */
export function buildAllocationKey(realm: string, username: string, id: string): string {
  const names = realm === '' ? username : `${realm}${USER}${username}`;
  return `${realm === '' ? WITHOUT_REALM : WITH_REALM}${names}${ALLOCATION}${id}`;
}

/** The key of an allocation, with another name in place of the user's. */
export function withUsername({ allocationKey, realm }: StatsKey, username: string): string {
  return buildAllocationKey(realm, username, allocationKey.slice(-ID_LENGTH));
}

function topicOf(key: string): Topic | undefined {
  return TOPICS.find(
    (topic) => key.endsWith(topic) && key.charAt(key.length - topic.length - 1) === '/',
  );
}

function isDigits(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

function parseNames(key: string, userEnd: number): { realm: string; username: string } | undefined {
  if (key.startsWith(WITHOUT_REALM)) {
    if (userEnd < WITHOUT_REALM.length) return undefined;
    return { realm: '', username: key.slice(WITHOUT_REALM.length, userEnd) };
  }
  const realmEnd = key.indexOf(USER, WITH_REALM.length);
  const userStart = realmEnd + USER.length;
  if (realmEnd < 0 || userStart > userEnd) return undefined;
  return { realm: key.slice(WITH_REALM.length, realmEnd), username: key.slice(userStart, userEnd) };
}

/** How many characters are copied at a time; a call takes only so many arguments. */
const STEP = 4096;

/**
 * A copy of `text` that shares no memory with it. V8 keeps a part of a text as a reference to the
 * whole, so a name of ten characters would keep a whole message alive for as long as an allocation
 * lives.
 */
export function copyText(text: string): string {
  let copy = '';
  for (let start = 0; start < text.length; start += STEP) {
    const codes: number[] = [];
    const end = Math.min(text.length, start + STEP);
    for (let at = start; at < end; at += 1) codes.push(text.charCodeAt(at));
    copy += String.fromCharCode(...codes);
  }
  return copy;
}
