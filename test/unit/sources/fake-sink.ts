import type { WireMessage } from '../../../src/coturn/delta.ts';
import { Origin } from '../../../src/domain/origin.ts';
import type { SourceStats } from '../../../src/domain/source-stats.ts';
import type { MessageSink } from '../../../src/sources/source.ts';
import { keyOf, payloadTextOf } from '../../support/wire-message.ts';

/** A sink that writes down what it is told, in order. */
export class FakeSink implements MessageSink {
  /** `server key payload` of each message, and `server suspect`. */
  readonly calls: string[] = [];
  /** What `statusKeys` gives, by server. */
  readonly keys = new Map<string, string[]>();
  readonly times = new Set<number>();
  /** Takes traffic as deltas. */
  deltas = false;
  deltaCount = 0;
  messageCount = 0;
  /** Off for streams too long to write down. */
  isRecording = true;
  readonly #origins = new Map<string, Origin>();

  openOrigin(stats: SourceStats, name: string, server: string = name): Origin {
    let origin = this.#origins.get(name);
    origin ??= new Origin(this.#origins.size, stats, name, { server });
    this.#origins.set(name, origin);
    return origin;
  }

  /** Servers an origin was opened for. */
  get servers(): string[] {
    return [...this.#origins.keys()];
  }

  origin(server: string): Origin | undefined {
    return this.#origins.get(server);
  }

  receive(origin: Origin, key: string, payload: string, nowMs: number): void {
    this.messageCount++;
    this.times.add(nowMs);
    if (this.isRecording) this.calls.push(`${origin.server} ${key} ${payload}`);
  }

  receiveDelta(origin: Origin, message: WireMessage, nowMs: number): boolean {
    const payload = payloadTextOf(message);
    if (!this.deltas || !payload.startsWith('rcvp=')) return false;
    this.deltaCount++;
    this.receive(origin, keyOf(message), payload, nowMs);
    return true;
  }

  noteGap(origin: Origin): void {
    this.calls.push(`${origin.server} gap`);
  }

  suspectAll(origin: Origin): void {
    this.calls.push(`${origin.server} suspect`);
  }

  endSuspects(origin: Origin): void {
    this.calls.push(`${origin.server} restarted`);
  }

  statusKeys(origin: Origin): Iterable<string> {
    return this.keys.get(origin.server) ?? [];
  }
}
