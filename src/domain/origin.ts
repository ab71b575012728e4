import type { Allocation } from './allocation.ts';
import { AllocationIndex } from './allocation-index.ts';
import type { SourceStats } from './source-stats.ts';
import { StatusKeys } from './status-keys.ts';

/**
 * A key space: the keys of one coturn server (embedded statsdb) or of all servers that share one
 * Redis. The same key in two origins names two allocations.
 */
export class Origin {
  /** Tells origins apart within a process. */
  readonly number: number;
  readonly stats: SourceStats;
  /** The `server` label, unless status messages tell a better one (`stats.serverFrom`). */
  readonly server: string;
  /** What lives or lingers here, by the key without its topic. */
  readonly allocations: AllocationIndex<Allocation> = new AllocationIndex();
  /** What scans have found of its status keys. */
  readonly keys: StatusKeys = new StatusKeys();
  /** How often messages may have been lost; an allocation compares it with the number at its start. */
  gaps = 0;

  constructor(number: number, stats: SourceStats, server: string) {
    this.number = number;
    this.stats = stats;
    this.server = server;
  }
}
