import { type EventKind, REJECT_REASONS, type RejectReason } from '../coturn/event.ts';

/**
 * An object as its own methods see it. Fields that others read are `readonly`, so that every change
 * has a name and an owner: this is called with `this` and nothing else.
 */
export function own<T>(self: T): { -readonly [Field in keyof T]: T[Field] } {
  return self;
}

/**
 * What is counted about one source of messages over the life of the process.
 * Plain numbers that only grow; `metrics/` reads them at a scrape.
 */
export class SourceStats {
  /** The `source` label. */
  readonly name: string;
  /**
   * What names the server of an allocation: the `local=` address of its status messages, or the
   * connection the messages came by.
   */
  readonly serverFrom: 'status' | 'connection';
  readonly #events: Record<EventKind, number> = {
    // Written out, since objects made from entries are slower to count in.
    new: 0,
    refreshed: 0,
    deleted: 0,
    traffic: 0,
    traffic_peer: 0,
    total_traffic: 0,
    total_traffic_peer: 0,
    other: 0,
  };
  readonly #rejected = zeroes(REJECT_REASONS);
  /** Bytes that no delta reported and a total repaired, client and peer side together. */
  readonly missedBytes: number = 0;
  /** Keys taken over by another server while they were live (design, rule 6). */
  readonly collisions: number = 0;
  /** Connections lost. */
  readonly disconnects: number = 0;
  /** How long events could not arrive after a connection was lost, in ms, all gaps together. */
  readonly gapMs: number = 0;
  /** Reads of the status keys that came to their end. */
  readonly resyncs: number = 0;
  /** True while scans find no keys though allocations live: the database is not coturn's. */
  readonly isWrongDatabase: boolean = false;
  /** When the newest message arrived, in ms; 0 before the first. */
  readonly lastEventMs: number = 0;

  constructor(name: string, serverFrom: 'status' | 'connection') {
    this.name = name;
    this.serverFrom = serverFrom;
  }

  /** Messages understood, by kind. */
  get events(): Readonly<Record<EventKind, number>> {
    return this.#events;
  }

  /** Messages that could not be read, by reason. */
  get rejected(): Readonly<Record<RejectReason, number>> {
    return this.#rejected;
  }

  /** A message was understood. */
  countEvent(kind: EventKind, nowMs: number): void {
    // The many by their names: what is looked up by a name that varies costs several times as much.
    if (kind === 'traffic') this.#events.traffic += 1;
    else if (kind === 'traffic_peer') this.#events.traffic_peer += 1;
    else this.#events[kind] += 1;
    own(this).lastEventMs = nowMs;
  }

  /** A message could not be read. */
  countRejected(reason: RejectReason): void {
    this.#rejected[reason] += 1;
  }

  /** A total told bytes that no report had told. */
  countMissed(bytes: number): void {
    own(this).missedBytes += bytes;
  }

  /** Another server took over a key that was live. */
  countCollision(): void {
    own(this).collisions += 1;
  }

  /** A connection was lost. */
  countDisconnect(): void {
    own(this).disconnects += 1;
  }

  /** Events could not arrive for this long, in ms. */
  countGap(gapMs: number): void {
    own(this).gapMs += gapMs;
  }

  /** The status keys were read to the end. */
  countResync(isWrongDatabase: boolean): void {
    own(this).resyncs += 1;
    own(this).isWrongDatabase = isWrongDatabase;
  }
}

function zeroes<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}
