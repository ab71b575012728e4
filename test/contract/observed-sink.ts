import type { WireMessage } from '../../src/coturn/delta.ts';
import type { Origin } from '../../src/domain/origin.ts';
import type { KeyScan } from '../../src/domain/reconcile.ts';
import type { SourceStats } from '../../src/domain/source-stats.ts';
import { Tracker } from '../../src/domain/tracker.ts';
import { createUserName } from '../../src/domain/user.ts';
import type { ScanSink } from '../../src/sources/source.ts';
import { keyOf, payloadTextOf } from '../support/wire-message.ts';

const BARRIER = 'turn/user/barrier/';

/**
 * A real tracker as the sink of a source. Messages whose key begins as `barrierKey` says are kept
 * from it: they tell the test that everything sent before them has arrived.
 */
export class ObservedSink implements ScanSink {
  readonly tracker: Tracker;
  /** Keys and payloads in the order of arrival, while `isRecording`. */
  readonly messages: { readonly key: string; readonly payload: string }[] = [];
  isRecording = false;
  gaps = 0;
  nowMs = 1_000;
  readonly #barriers = new Map<string, () => void>();
  #barrierCount = 0;

  constructor() {
    let sessions = 0;
    this.tracker = new Tracker({
      groupBy: 'user',
      lingerMs: 0,
      userName: createUserName({ label: 'userid', restSeparator: ':' }),
      newSessionId: () => {
        sessions += 1;
        return String(sessions);
      },
      maxUsers: 1_000,
      maxRealms: 1_000,
    });
  }

  /** A key to publish to, and what resolves when it has arrived. */
  barrier(): { readonly key: string; readonly passed: Promise<void> } {
    this.#barrierCount += 1;
    const key = `${BARRIER}${this.#barrierCount}`;
    return { key, passed: new Promise((resolve) => this.#barriers.set(key, resolve)) };
  }

  openOrigin(stats: SourceStats, name: string, server?: string): Origin {
    return this.tracker.openOrigin(stats, name, server);
  }

  receive(origin: Origin, key: string, payload: string, nowMs: number): void {
    if (this.#isBarrier(key)) return;
    this.#record(key, payload);
    this.tracker.receive(origin, key, payload, nowMs);
  }

  receiveDelta(origin: Origin, message: WireMessage, nowMs: number): boolean {
    const isTaken = this.tracker.receiveDelta(origin, message, nowMs);
    if (isTaken) this.#record(keyOf(message), payloadTextOf(message));
    return isTaken;
  }

  noteGap(origin: Origin, deaf?: { readonly fromMs: number; readonly toMs: number }): void {
    const before = origin.gaps;
    this.tracker.noteGap(origin, deaf);
    this.gaps += origin.gaps - before;
  }

  suspectAll(origin: Origin): void {
    this.tracker.suspectAll(origin);
  }

  endSuspects(origin: Origin, when: { lostMs: number; nowMs: number }): void {
    this.tracker.endSuspects(origin, when);
  }

  statusKeys(origin: Origin): Iterable<string | undefined> {
    return this.tracker.statusKeys(origin);
  }

  beginScan(origin: Origin, nowMs: number): KeyScan {
    return this.tracker.beginScan(origin, nowMs);
  }

  #isBarrier(key: string): boolean {
    if (!key.startsWith(BARRIER)) return false;
    this.#barriers.get(key)?.();
    this.#barriers.delete(key);
    return true;
  }

  #record(key: string, payload: string): void {
    if (this.isRecording) this.messages.push({ key, payload });
  }
}
