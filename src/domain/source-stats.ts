import { type EventKind, REJECT_REASONS, type RejectReason } from '../coturn/event.ts';

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
  /** Messages understood, by kind. */
  readonly events: Record<EventKind, number> = {
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
  /** Messages that could not be read, by reason. */
  readonly rejected: Record<RejectReason, number> = zeroes(REJECT_REASONS);
  /** Bytes that no delta reported and a total repaired, client and peer side together. */
  missedBytes = 0;
  /** Keys taken over by another server while they were live (design, rule 6). */
  collisions = 0;
  /** Connections lost. */
  disconnects = 0;
  /** How long events could not arrive after a connection was lost, in ms, all gaps together. */
  gapMs = 0;
  /** Reads of the status keys that came to their end. */
  resyncs = 0;
  /** True while scans find no keys though allocations live: the database is not coturn's. */
  isWrongDatabase = false;
  /** When the newest message arrived, in ms; 0 before the first. */
  lastEventMs = 0;

  constructor(name: string, serverFrom: 'status' | 'connection') {
    this.name = name;
    this.serverFrom = serverFrom;
  }
}

function zeroes<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}
