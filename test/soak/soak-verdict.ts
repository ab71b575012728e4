import { readJsonLines } from '../support/json-lines.ts';
import { isWithin, recordSums, type Sums } from '../support/scripted-coturn.ts';
import type { Deafness } from './soak-faults.ts';
import type { UserTruth } from './soak-truth.ts';

/** How the records of one exporter compare with the truth. */
export interface Verdict {
  readonly records: number;
  readonly users: number;
  /** Users all of whose totals reached the exporter, so that their records must be exact. */
  readonly mustBeExact: number;
  /** Users whose records are exact, also of those where they need not be. */
  readonly exact: number;
  readonly faults: readonly string[];
}

const SHOWN = 10;

/** Compares the records in a file with the truth; every difference that must not be is a fault. */
export function judge(
  recordsFile: string,
  {
    truth,
    deaf,
  }: { readonly truth: ReadonlyMap<string, UserTruth>; readonly deaf: readonly Deafness[] },
): Verdict {
  const records = readJsonLines(recordsFile);
  const faults: string[] = [];
  const ids = new Set(records.map((record) => record['session_id']));
  if (ids.size !== records.length) faults.push(`${records.length - ids.size} ids are used twice`);
  const byUser = new Map<string, Array<Record<string, unknown>>>();
  for (const record of records) {
    const user = String(record['user']);
    const own = byUser.get(user);
    if (own === undefined) byUser.set(user, [record]);
    else own.push(record);
  }
  let mustBeExact = 0;
  let exact = 0;
  for (const [user, one] of truth) {
    const own = byUser.get(user) ?? [];
    const expected = sumsOfUser(one);
    const actual = recordSums(own);
    const isExact = JSON.stringify(actual) === JSON.stringify(expected);
    if (isExact) exact += 1;
    if (!isWithin(actual, expected))
      faults.push(`${user} has more than the truth: ${show(one, own)}`);
    if (!isHeardToTheEnd(one, deaf)) continue;
    mustBeExact += 1;
    if (!isExact) faults.push(`${user} is not exact: ${show(one, own)}`);
    const isWhole = !isAnyWithin(one.beginsMs, deaf);
    if (isExact && isWhole && own.length > 1) faults.push(`${user} was split: ${show(one, own)}`);
  }
  return {
    records: records.length,
    users: truth.size,
    mustBeExact,
    exact,
    faults: shorten(faults),
  };
}

function isHeardToTheEnd(one: UserTruth, deaf: readonly Deafness[]): boolean {
  const { crashed, allocations, totalsMs } = one;
  return (
    !crashed && allocations > 0 && allocations === totalsMs.length && !isAnyWithin(totalsMs, deaf)
  );
}

function isAnyWithin(timesMs: readonly number[], deaf: readonly Deafness[]): boolean {
  return timesMs.some((ms) => deaf.some(({ fromMs, toMs }) => ms >= fromMs && ms <= toMs));
}

function sumsOfUser({ client, peer }: UserTruth): Sums {
  return {
    received_bytes: client.receivedBytes,
    sent_bytes: client.sentBytes,
    received_packets: client.receivedPackets,
    sent_packets: client.sentPackets,
    peer_received_bytes: peer.receivedBytes,
    peer_sent_bytes: peer.sentBytes,
    peer_received_packets: peer.receivedPackets,
    peer_sent_packets: peer.sentPackets,
  };
}

function show(truth: UserTruth, records: ReadonlyArray<Record<string, unknown>>): string {
  return JSON.stringify({ truth, records });
}

function shorten(faults: readonly string[]): string[] {
  const rest = faults.length - SHOWN;
  return rest > 0 ? [...faults.slice(0, SHOWN), `and ${rest} more`] : [...faults];
}
