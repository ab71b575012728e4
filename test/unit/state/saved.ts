import type { SavedAllocation, SavedSession } from '../../../src/domain/saved-session.ts';
import {
  parseStateHeader,
  parseStateLine,
  renderEnd,
  renderHeader,
  renderSession,
  type StateHeader,
} from '../../../src/state/state-format.ts';

/** An allocation as a state file keeps it. */
export const ALLOCATION: SavedAllocation = {
  key: 'turn/realm/example.org/user/bob/allocation/001000000000000001',
  source: 'redis',
  origin: 'redis',
  server: '192.0.2.1',
  transport: 'udp',
  tls: 'none',
  local: '192.0.2.1:3478',
  startedAtMs: 1_700_000_000_000,
  lastEventMs: 1_700_000_100_000.5,
  lifetimeMs: 600_000,
  endReason: null,
  endedAtMs: 0,
  startKnown: true,
  contested: false,
  expectsPeer: true,
  reportsPeer: true,
  client: [1, 2, 3, 4],
  peer: [5, 6, 7, Number.MAX_SAFE_INTEGER],
  clientTotal: null,
  peerTotal: [9, 10, 11, 12],
  suspect: true,
  held: [13, 14, 15, 16],
};

/** A session as a state file keeps it. */
export const SESSION: SavedSession = {
  id: '0190b5c8-0000-7000-8000-000000000001',
  group: '',
  realm: 'bücher.example',
  userName: 'bob',
  username: '1795306257:bob "\\\n\u2028',
  startedAtMs: 1_700_000_000_000,
  startKnown: true,
  endedAtMs: 0,
  endReason: 'deleted',
  allocationCount: 2,
  adoptedAllocations: 0,
  client: [1, 2, 3, 4],
  peer: [5, 6, 7, 8],
  missedBytes: 0,
  mostBytes: 17,
  relayedSoFar: 'false',
  gapMs: 0,
  complete: true,
  reportsPeer: false,
  isShown: true,
  servers: '192.0.2.1',
  transports: 'udp',
  tlsVersions: 'none',
  clients: '203.0.113.7',
  attributes: null,
  open: [ALLOCATION, { ...ALLOCATION, key: `${ALLOCATION.key}2`, endReason: 'expired' }],
};

/** A second one, which has finished. */
export const FINISHED: SavedSession = { ...SESSION, id: 'second', endedAtMs: 1.5e12, open: [] };

export const SAVED_AT = '2026-11-21T02:03:04.567Z';

/** The text of a state file. */
export function stateText(sessions: readonly SavedSession[], isFinal = true): string {
  const lines = sessions.map(renderSession).join('');
  return renderHeader({ savedAt: SAVED_AT, isFinal }) + lines + renderEnd(sessions.length);
}

/** What a state file holds. */
export interface SavedState {
  readonly header: StateHeader;
  readonly sessions: readonly SavedSession[];
}

/** Reads a state file that has to be whole. Throws a `SyntaxError` where it is not. */
export function parseState(text: string): SavedState {
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new SyntaxError('it is cut');
  const [first = '', ...rest] = lines;
  const header = parseStateHeader(first);
  const sessions: SavedSession[] = [];
  let end: number | undefined;
  for (const [index, line] of rest.entries()) {
    const parsed = parseStateLine(line, header.version);
    if (parsed === undefined || end !== undefined)
      throw new SyntaxError(`line ${index + 2} is bad`);
    if (parsed.kind === 'end') end = parsed.sessions;
    else sessions.push(parsed.session);
  }
  if (end !== sessions.length) throw new SyntaxError('it is cut');
  return { header, sessions };
}
