import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { coturnProgram } from './coturn-programs.ts';

/** A way in which what versions of coturn tell differs from what was relayed. */
export interface CoturnDifference {
  /** The first version that has it. */
  readonly since: string;
  /** The first version that has it no more; absent: the newest has it. */
  readonly until?: string;
  /** For docs/accounting.md. */
  readonly what: string;
}

/** What is known to differ; the suite takes it into account, and fails where it is not as told. */
export const COTURN_DIFFERENCES = {
  channelHeader: {
    since: '4.11.0',
    what: '`peer_sent_bytes` has 4 bytes too many for each ChannelData packet',
  },
  statelessNonce: {
    since: '4.17.0',
    what: 'the first request of a UDP client and the 401 that answers it are counted nowhere',
  },
  shortStatus: {
    since: '4.5.0',
    until: '4.6.0',
    what: '`client`, `transport`, `tls`, and on Redis which server it was, are not told',
  },
} satisfies Record<string, CoturnDifference>;

/** The version of the `turnserver` that is tested with: `4.17.1`. */
export function coturnVersion(): string {
  // Those before 4.6 have no --version, and start instead.
  const version = /Coturn-(\d+(?:\.\d+)+)/.exec(programText())?.[1];
  if (version === undefined) throw new Error('Cannot tell the version of turnserver');
  return version;
}

/** Whether that `turnserver` speaks TLS to its statsdb: from 4.14 on, built with hiredis' TLS. */
export function speaksTlsToStatsdb(): boolean {
  return programText().includes('Redis TLS: handshake failed');
}

function programText(): string {
  return readFileSync(pathOf('turnserver'), 'latin1');
}

/** Whether a version of coturn, by default the one that is tested with, has a difference. */
export function hasDifference(
  name: keyof typeof COTURN_DIFFERENCES,
  version: string = coturnVersion(),
): boolean {
  const { since, until }: CoturnDifference = COTURN_DIFFERENCES[name];
  return (
    compareVersions(version, since) >= 0 &&
    (until === undefined || compareVersions(version, until) < 0)
  );
}

/** What coturn adds to `peer_sent_bytes` for so many messages that its own client sends by channel. */
export function channelHeaderBytes(messages: number): number {
  return hasDifference('channelHeader') ? 4 * messages : 0;
}

/** Below 0 when the first is the older. */
export function compareVersions(left: string, right: string): number {
  const [ours, theirs] = [left, right].map((version) => version.split('.').map(Number));
  for (let part = 0; part < 4; part += 1) {
    const difference = (ours?.[part] ?? 0) - (theirs?.[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function pathOf(name: string): string {
  const program = coturnProgram(name);
  if (program !== name) return program;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const path = folders.map((folder) => join(folder, name)).find(existsSync);
  if (path === undefined) throw new Error(`Cannot find ${name}`);
  return path;
}
