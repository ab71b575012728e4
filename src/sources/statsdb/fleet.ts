import type { Logger } from 'pino';
import type { Origin } from '../../domain/origin.ts';
import type { ConnectedServer, Servers } from '../../domain/servers.ts';
import type { MessageSink } from '../source.ts';

/** A connection of a coturn. */
export interface Member {
  /** The `server` label of its coturn. */
  readonly server: string;
  /** The coturn is known by a password of its own: there is one of that name. */
  readonly isNamed: boolean;
  /** The peer's address without port. */
  readonly address: string;
  /** Whether messages came from it. */
  readonly hasPublished: boolean;
}

/** What a {@link Fleet} works with. */
export interface FleetOptions {
  readonly servers: Servers;
  readonly sink: MessageSink;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/**
 * A coturn that starts asks for its keys on several connections at once (one for each of its
 * authentication threads); a repetition within this time is no second start, in ms.
 */
const START_INTERVAL_MS = 1_000;

/** Milliseconds until a coturn is said to have left: at its start it closes what it has first. */
export const LEAVE_DELAY_MS = 2_000;

/** The connections of one coturn. */
interface Crew {
  readonly health: ConnectedServer;
  readonly members: Set<Member>;
  /** Connections of a process that another one of this name says is dead, and that are open still. */
  earlier: { readonly origin: Origin; readonly members: Set<Member> } | undefined;
  leaving: NodeJS.Timeout | undefined;
}

/** Which coturn servers are connected to an embedded statsdb: who came, started anew, and left. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #crews = new Map<string, Crew>();
  /** When a coturn of an origin last started, in ms. */
  readonly #startedMs = new WeakMap<Origin, number>();

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** How many servers have a connection. */
  get size(): number {
    let count = 0;
    for (const { members } of this.#crews.values()) if (members.size > 0) count += 1;
    return count;
  }

  /** A connection has shown that it is of a coturn. */
  join(member: Member): ConnectedServer {
    const { server, address } = member;
    let crew = this.#crews.get(server);
    if (crew === undefined) {
      const health = this.#options.servers.connected(server);
      crew = { health, members: new Set(), earlier: undefined, leaving: undefined };
      this.#crews.set(server, crew);
      this.#options.log.info({ server, address }, 'coturn connected');
    }
    clearTimeout(crew.leaving);
    crew.members.add(member);
    crew.health.join();
    return crew.health;
  }

  /** A connection is gone; nothing happens when it had not joined. */
  leave(member: Member): void {
    const crew = this.#crews.get(member.server);
    if (crew?.members.delete(member) !== true) return;
    const nowMs = this.#options.nowMs();
    crew.health.leave(nowMs);
    const { earlier } = crew;
    if (earlier?.members.delete(member) === true && earlier.members.size === 0) {
      crew.earlier = undefined;
      this.#options.sink.endSuspects(earlier.origin, { lostMs: nowMs, nowMs });
    }
    if (crew.members.size > 0) return;
    crew.leaving = setTimeout(() => this.#left(member), LEAVE_DELAY_MS).unref();
  }

  /**
   * A coturn process has started. It asks for its keys before it serves anybody, and never again:
   * whatever its name held before is of a process that is dead (design, rule 5). An address may be
   * that of several, so that what it held is only suspect (rule 7).
   */
  started(member: Member, origin: Origin, nowMs: number): void {
    const { sink } = this.#options;
    if (!member.isNamed) {
      const startedMs = this.#startedMs.get(origin);
      if (startedMs !== undefined && nowMs - startedMs < START_INTERVAL_MS) return;
      this.#startedMs.set(origin, nowMs);
      sink.suspectAll(origin);
      return;
    }
    const crew = this.#crews.get(member.server);
    if (crew === undefined) return;
    sink.suspectAll(origin);
    const members = [...crew.members].filter((one) => one !== member && one.hasPublished);
    if (members.length === 0) {
      sink.endSuspects(origin, { lostMs: crew.health.leftMs, nowMs });
      return;
    }
    crew.earlier = { origin, members: new Set(members) };
    this.#options.log.warn(
      { server: member.server, address: member.address },
      'a coturn started under a name that another connection still publishes under: its sessions end when that connection does',
    );
  }

  /** Says no more. */
  stop(): void {
    for (const { leaving } of this.#crews.values()) clearTimeout(leaving);
    this.#crews.clear();
  }

  #left({ server, address }: Member): void {
    this.#crews.delete(server);
    this.#options.log.info({ server, address }, 'coturn left');
  }
}
