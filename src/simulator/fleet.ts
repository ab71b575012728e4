import { Allocation, type AllocationPlan } from './allocation.ts';
import { Call, planCall } from './call.ts';
import { DEFAULT_FLEET, FLAVOURS, type FleetOptions } from './fleet-options.ts';
import { makeNoise } from './noise.ts';
import { Random } from './random.ts';
import { SimulatedServer } from './server.ts';
import { Timeline } from './timeline.ts';
import {
  type CallCounts,
  EventCounter,
  type RealmTruth,
  type SessionTruth,
  sumTallies,
  type Truth,
} from './truth.ts';

/** How far {@link Fleet.advance} may go. */
export interface Advance {
  /** The simulated moment to reach, in ms. */
  readonly untilMs: number;
  /** Stop before that after about so many published messages. */
  readonly maxEvents: number;
}

const MS_PER_HOUR = 3_600_000;
const MIN_CALL_MS = 2000;
const DOWN_MS = { least: 2000, most: 10_000 } as const;
/** At the end all clients hang up within this time, not in one moment. */
const FINISH_SPREAD_MS = 1000;

/** Begins a fleet at simulated time 0, with nobody in a call yet. */
export function createFleet(options: Partial<FleetOptions> = {}): Fleet {
  return new Fleet({ ...DEFAULT_FLEET, ...options });
}

/**
 * Several coturn servers and the people who call through them. No I/O and no clock: the same
 * options give the same messages in the same order, whatever the steps in which time advances.
 */
export class Fleet {
  readonly options: FleetOptions;
  readonly servers: readonly SimulatedServer[];
  /** Called with each finished call; keeps memory flat where nobody asks. */
  onSession: ((session: SessionTruth) => void) | undefined;
  readonly #events = new EventCounter();
  readonly #timeline = new Timeline();
  readonly #random: Random;
  readonly #users: UserPool;
  readonly #calls: CallCounts = { started: 0, refused: 0, relayed: 0, finished: 0 };
  readonly #sessions = new Map<string, number>();
  readonly #crashes = new Map<SimulatedServer, number>();
  #finishing: boolean = false;

  constructor(options: FleetOptions) {
    this.options = options;
    this.#random = new Random(options.seed);
    this.#users = new UserPool(options.users, options.realms, this.#random);
    const { relayThreads } = options;
    this.servers = Array.from({ length: options.servers }, (_, index) => {
      const flavour = FLAVOURS[options.flavours[index % options.flavours.length] ?? '4.6.1'];
      const shared = { timeline: this.#timeline, events: this.#events };
      return new SimulatedServer({ index, flavour, relayThreads, ...shared });
    });
    this.#repeat(options.arrivalRate, () => this.#arrive());
    this.#repeat(options.noiseRate, () => this.#makeNoise());
    for (const server of this.servers) this.#planCrash(server);
  }

  /** Simulated time in ms since the start. */
  get nowMs(): number {
    return this.#timeline.nowMs;
  }

  /** Messages published so far. */
  get published(): number {
    return this.#events.total;
  }

  /** Nothing will happen any more; true some time after {@link finish} only. */
  get isOver(): boolean {
    return this.#timeline.nextMs === Number.POSITIVE_INFINITY;
  }

  /**
   * Lets simulated time pass, and servers write what they have to say.
   *
   * @returns true when `untilMs` was reached, false when `maxEvents` came first
   */
  advance({ untilMs, maxEvents }: Advance): boolean {
    const limit = this.published + maxEvents;
    while (this.#timeline.nextMs <= untilMs && !this.isOver) {
      if (this.published >= limit) return false;
      this.#timeline.runNext();
    }
    if (Number.isFinite(untilMs)) this.#timeline.passTo(untilMs);
    return true;
  }

  /**
   * Lets everybody hang up: no call, no noise and no crash begins any more. Go on with
   * {@link advance} until {@link isOver}; vanished clients take up to a lifetime of simulated time.
   */
  finish(): void {
    this.#finishing = true;
    for (const server of this.servers) {
      server.stop();
      for (const allocation of server.live) {
        const atMs = this.nowMs + this.#random.below(FINISH_SPREAD_MS);
        this.#timeline.at(atMs, () => allocation.hangUp());
      }
    }
  }

  /** Counts what live allocations have not reported as lost: nobody will ask them any more. */
  abandon(): void {
    for (const server of this.servers) {
      for (const allocation of server.live) allocation.forget();
    }
  }

  /** What was published so far. */
  truth(): Truth {
    const accounts = this.servers.flatMap((server) =>
      [...server.tallies].map(([realm, tally]) => ({ realm, server: server.address, ...tally })),
    );
    return {
      seed: this.options.seed,
      simulatedSeconds: this.nowMs / 1000,
      events: { ...this.#events.byKind },
      calls: { ...this.#calls },
      realms: this.options.realms.map((realm): RealmTruth => {
        const ofRealm = accounts.filter((account) => account.realm === realm);
        return { realm, sessions: this.#sessions.get(realm) ?? 0, ...sumTallies(ofRealm) };
      }),
      servers: this.servers.map((server) => ({
        server: server.address,
        flavour: server.flavour.name,
        crashes: this.#crashes.get(server) ?? 0,
        ...sumTallies(server.tallies.values()),
      })),
      accounts,
    };
  }

  #repeat(perSecond: number, happen: () => void): void {
    if (perSecond <= 0) return;
    const afterMs = this.#random.exponential(1000 / perSecond);
    this.#timeline.at(this.nowMs + afterMs, () => {
      if (this.#finishing) return;
      happen();
      this.#repeat(perSecond, happen);
    });
  }

  #arrive(): void {
    const servers = this.servers.filter((server) => server.isUp);
    const user = servers.length > 0 ? this.#users.take() : undefined;
    if (user === undefined) {
      this.#calls.refused += 1;
      return;
    }
    const { callLengthSeconds, peerToPeerShare } = this.options;
    const lengthMs = Math.max(MIN_CALL_MS, this.#random.exponential(callLengthSeconds * 1000));
    const relayed = !this.#random.chance(peerToPeerShare);
    const shape = { startMs: this.nowMs, endMs: this.nowMs + lengthMs, relayed };
    const call = new Call(user, this.#timeline, (over, session) => this.#callOver(over, session));
    this.#calls.started += 1;
    if (relayed) this.#calls.relayed += 1;
    const context = { servers, options: this.options, random: this.#random };
    for (const plan of planCall(call, shape, context)) this.#planAllocation(plan);
  }

  #planAllocation(plan: AllocationPlan): void {
    const { life } = plan.server;
    this.#timeline.at(plan.startMs, () => {
      if (plan.server.life === life) new Allocation(plan, this.#timeline, this.#random);
      else plan.call.allocationSkipped();
    });
  }

  #callOver(call: Call, session: SessionTruth | undefined): void {
    this.#users.give(call.user);
    if (session === undefined) return;
    this.#calls.finished += 1;
    this.#sessions.set(call.realm, (this.#sessions.get(call.realm) ?? 0) + 1);
    this.onSession?.(session);
  }

  #makeNoise(): void {
    const servers = this.servers.filter((server) => server.isUp);
    if (servers.length === 0) return;
    const server = this.#random.pick(servers);
    const realm = this.#random.pick(this.options.realms);
    makeNoise({ server, realm, timeline: this.#timeline, random: this.#random });
  }

  #planCrash(server: SimulatedServer): void {
    const { crashRate } = this.options;
    if (crashRate <= 0) return;
    const atMs = this.nowMs + this.#random.exponential(MS_PER_HOUR / crashRate);
    this.#timeline.at(atMs, () => {
      if (this.#finishing) return;
      server.crash();
      this.#crashes.set(server, (this.#crashes.get(server) ?? 0) + 1);
      this.#planRestart(server);
    });
  }

  #planRestart(server: SimulatedServer): void {
    const atMs = this.nowMs + this.#random.between(DOWN_MS.least, DOWN_MS.most);
    this.#timeline.at(atMs, () => {
      if (this.#finishing) return;
      server.restart();
      this.#planCrash(server);
    });
  }
}

/** A person who makes calls. */
export interface User {
  /** The user id inside REST usernames. */
  readonly name: string;
  readonly realm: string;
}

/**
 * The users who are not in a call, the one who rested longest first, so that two calls of a user
 * are as far apart as the number of users allows. The first realm has the most users.
 */
class UserPool {
  #waiting: User[] = [];
  #first = 0;

  constructor(count: number, realms: readonly string[], random: Random) {
    const weights = realms.map((_, index) => 1 / (index + 1));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (let number = 1; number <= count; number += 1) {
      let left = random.next() * sum;
      const index = weights.findIndex((weight) => {
        left -= weight;
        return left < 0;
      });
      this.#waiting.push({ name: `user${number}`, realm: realms.at(index) ?? '' });
    }
  }

  /** Takes the user who rested longest, or nobody. */
  take(): User | undefined {
    const user = this.#waiting[this.#first];
    if (user === undefined) return undefined;
    this.#first += 1;
    // Drop the part that was taken once it is the larger one; a shift for each would be slow.
    if (this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return user;
  }

  /** Puts a user back whose call is over. */
  give(user: User): void {
    this.#waiting.push(user);
  }
}
