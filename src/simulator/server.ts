import type { EventKind } from '../coturn/event.ts';
import { KEEPALIVE_CHANNEL, KEEPALIVE_TEXT } from '../coturn/patterns.ts';
import type { Allocation } from './allocation.ts';
import type { Flavour } from './fleet-options.ts';
import type { Timeline, Timer } from './timeline.ts';
import { createTally, type EventCounter, type Tally } from './truth.ts';

const THREAD_DIGITS = 3;
const COUNTER_DIGITS = 15;

/**
 * Where one simulated server writes: what a coturn process does to its statsdb. All calls return at
 * once; whoever implements it keeps the order within one thread.
 *
 * Threads are numbered from 0; the number after the last relay thread is the listener's, which has
 * a connection too and sends keepalives only.
 */
export interface ServerOutput {
  /** `set <key> <text>`. */
  set(thread: number, key: string, text: string): void;
  /** `del <key> ""`, with coturn's stray empty argument. */
  delete(thread: number, key: string): void;
  /** `publish <channel> <text>`. */
  publish(thread: number, channel: string, text: string): void;
  /** The process is gone, without a word: its connections break after what was written before. */
  stopped(): void;
  /** The process is back: it deletes all status keys of the database, and connects anew. */
  started(): void;
}

/** What a {@link SimulatedServer} is made of. */
interface ServerSettings {
  /** From 0; decides its address. */
  readonly index: number;
  readonly flavour: Flavour;
  readonly relayThreads: number;
  readonly timeline: Timeline;
  /** Where all servers count what they publish. */
  readonly events: EventCounter;
}

/** One coturn process after another on one machine: its ids, its keys, what it has published. */
export class SimulatedServer {
  /** `127.0.0.2` for the first, so that servers on one machine can be told apart. */
  readonly address: string;
  readonly ipv6Address: string;
  readonly flavour: Flavour;
  readonly relayThreads: number;
  /** Allocations held now. */
  readonly live: Set<Allocation> = new Set();
  readonly tallies: Map<string, Tally> = new Map();
  /** Grows with each crash: what was planned in an earlier life does not happen. */
  life = 0;
  isUp = true;
  readonly #timeline: Timeline;
  readonly #events: EventCounter;
  readonly #counters: number[];
  #output: ServerOutput | undefined;
  #keepalive: Timer | undefined;

  constructor(settings: ServerSettings) {
    const number = settings.index + 2;
    this.address = `127.0.${number >> 8}.${number & 255}`;
    this.ipv6Address = `fd00::${number.toString(16)}`;
    this.flavour = settings.flavour;
    this.relayThreads = settings.relayThreads;
    this.#timeline = settings.timeline;
    this.#events = settings.events;
    this.#counters = Array.from({ length: settings.relayThreads }, () => 0);
    this.#planKeepalive();
  }

  /** Sets where it writes; before, what it says is counted and lost. */
  attach(output: ServerOutput): void {
    this.#output = output;
  }

  /** coturn's id of the next session of a relay thread: thread x 10^15 + a counter from 1. */
  nextId(thread: number): string {
    const counter = (this.#counters[thread] ?? 0) + 1;
    this.#counters[thread] = counter;
    return (
      String(thread).padStart(THREAD_DIGITS, '0') + String(counter).padStart(COUNTER_DIGITS, '0')
    );
  }

  /** What was published here for a realm. */
  tally(realm: string): Tally {
    let tally = this.tallies.get(realm);
    if (tally === undefined) {
      tally = createTally();
      this.tallies.set(realm, tally);
    }
    return tally;
  }

  publish(kind: EventKind, message: { thread: number; channel: string; text: string }): void {
    this.#events.count(kind);
    this.#output?.publish(message.thread, message.channel, message.text);
  }

  set(thread: number, key: string, text: string): void {
    this.#output?.set(thread, key, text);
  }

  delete(thread: number, key: string): void {
    this.#output?.delete(thread, key);
  }

  /** Stops without a word, as after SIGKILL: nothing of what it held is ever published. */
  crash(): void {
    this.stop();
    this.#output?.stopped();
    for (const allocation of this.live) allocation.lose();
    this.live.clear();
  }

  /** The next process on this machine; ids begin at 1 again. */
  restart(): void {
    this.isUp = true;
    this.#counters.fill(0);
    this.#output?.started();
    this.#planKeepalive();
  }

  /** No further keepalives and no new sessions; what is live goes on. */
  stop(): void {
    this.isUp = false;
    this.life += 1;
    this.#keepalive?.cancel();
  }

  /** coturn 4.6.1: one from each relay thread and one from the listener. */
  #planKeepalive(): void {
    const { keepaliveMs } = this.flavour;
    if (keepaliveMs === 0) return;
    this.#keepalive = this.#timeline.at(this.#timeline.nowMs + keepaliveMs, () => {
      for (let thread = 0; thread <= this.relayThreads; thread += 1) {
        this.publish('other', { thread, channel: KEEPALIVE_CHANNEL, text: KEEPALIVE_TEXT });
      }
      this.#planKeepalive();
    });
  }
}
