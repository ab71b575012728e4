import type { Delta } from './media.ts';
import type { Timeline } from './timeline.ts';
import { addTraffic, createTraffic, type MutableTraffic } from './traffic.ts';
import type { SessionTruth } from './truth.ts';
import type { User } from './users.ts';

/** One call: the allocations of both its ends, which share a user id. */
export class Call {
  readonly user: User;
  readonly realm: string;
  readonly #timeline: Timeline;
  readonly #onOver: (call: Call, session: SessionTruth | undefined) => void;
  readonly #client: MutableTraffic = createTraffic();
  readonly #peer: MutableTraffic = createTraffic();
  #expected = 0;
  #allocations = 0;
  #startMs = 0;
  #crashed = false;

  /** @param onOver hears of its end; without a session when no allocation ever began */
  constructor(
    user: User,
    timeline: Timeline,
    onOver: (call: Call, session: SessionTruth | undefined) => void,
  ) {
    this.user = user;
    this.realm = user.realm;
    this.#timeline = timeline;
    this.#onOver = onOver;
  }

  /** One more allocation is planned; each must begin and end, or be skipped. */
  expectAllocation(): void {
    this.#expected += 1;
  }

  allocationBegan(): void {
    if (this.#allocations === 0) this.#startMs = this.#timeline.nowMs;
    this.#allocations += 1;
  }

  /** A planned allocation will not begin, because its server is gone. */
  allocationSkipped(): void {
    this.#settle();
  }

  /** @param lost its server crashed, so nothing was published of its end */
  allocationEnded(lost: boolean): void {
    this.#crashed ||= lost;
    this.#settle();
  }

  /** Adds a report that was published for one of its allocations. */
  addPublished(delta: Delta, withPeer: boolean): void {
    addTraffic(this.#client, delta.client);
    if (withPeer) addTraffic(this.#peer, delta.peer);
  }

  #settle(): void {
    this.#expected -= 1;
    if (this.#expected === 0) this.#onOver(this, this.#session());
  }

  #session(): SessionTruth | undefined {
    if (this.#allocations === 0) return undefined;
    return {
      realm: this.realm,
      user: this.user.name,
      startMs: this.#startMs,
      endMs: this.#timeline.nowMs,
      allocations: this.#allocations,
      crashed: this.#crashed,
      client: this.#client,
      peer: this.#peer,
    };
  }
}
