import type { EventKind } from '../coturn/event.ts';
import { buildAllocationKey } from '../coturn/key.ts';
import type { Call } from './call.ts';
import { type Delta, type Flow, TrafficMeter } from './media.ts';
import type { Random } from './random.ts';
import type { SimulatedServer } from './server.ts';
import type { Timeline, Timer } from './timeline.ts';
import {
  addTraffic,
  createTraffic,
  type MutableTraffic,
  trafficText,
  wrapPeerTotal,
} from './traffic.ts';
import type { Tally } from './truth.ts';

/** How a client reaches its server. */
export type ClientTransport = 'UDP' | 'TCP' | 'TLS/TCP' | 'DTLS';

/** What will become of one allocation, decided when its call begins. Times are simulated ms. */
export interface AllocationPlan {
  readonly server: SimulatedServer;
  readonly call: Call;
  readonly username: string;
  readonly transport: ClientTransport;
  /** `, type=UDP, local=…` of the long status; ignored by versions with the short one. */
  readonly connection: string;
  readonly startMs: number;
  /** When its client gives it up. */
  readonly releaseMs: number;
  /** The client vanishes at `releaseMs` instead: over UDP it then expires by its lifetime. */
  readonly abandoned: boolean;
  /** Absent when it relays nothing. */
  readonly flow: Flow | undefined;
  /** Refreshes at once, as coturn's own client does. */
  readonly refreshesAtOnce: boolean;
}

const LIFETIME_SECONDS = 600;
/** Browsers refresh a minute before the end. */
const REFRESH_AFTER_MS = (LIFETIME_SECONDS - 60) * 1000;
/** coturn ends a UDP session this long after `lifetime=0` (median of recordings: 1002 ms). */
const UDP_LINGER_MS = 1000;
const NEVER = Number.POSITIVE_INFINITY;

/** One allocation on one server from `new` to its totals, in coturn's order of messages. */
export class Allocation {
  readonly #plan: AllocationPlan;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #meter: TrafficMeter;
  readonly #tally: Tally;
  readonly #thread: number;
  readonly #key: string;
  readonly #client: MutableTraffic = createTraffic();
  readonly #peer: MutableTraffic = createTraffic();
  #timer: Timer | undefined;
  #releaseMs: number;
  #refreshMs: number = NEVER;
  #expiresMs: number = NEVER;
  #endMs: number = NEVER;

  /** It begins at once: the time of `timeline` is its start. */
  constructor(plan: AllocationPlan, timeline: Timeline, random: Random) {
    this.#plan = plan;
    this.#timeline = timeline;
    this.#random = random;
    this.#releaseMs = plan.releaseMs;
    const { server, call } = plan;
    this.#tally = server.tally(call.realm);
    this.#thread = random.below(server.relayThreads);
    const id = server.nextId(this.#thread);
    this.#key = buildAllocationKey(call.realm, plan.username, id);
    this.#meter = new TrafficMeter(server.flavour, random, isStream(plan.transport));
    if (plan.flow !== undefined) this.#meter.relay(plan.flow);
    this.#begin();
  }

  /** Its client gives it up now, unless that has happened. */
  hangUp(): void {
    if (this.#releaseMs === NEVER) return;
    this.#releaseMs = this.#timeline.nowMs;
    this.#planNext();
  }

  /** Its server has crashed: what was not reported is lost. */
  lose(): void {
    this.#timer?.cancel();
    this.forget();
    this.#plan.call.allocationEnded(true);
  }

  /** Counts what was relayed and not reported as lost; for a server that will not report again. */
  forget(): void {
    const rest = this.#meter.takeRest(this.#timeline.nowMs);
    addTraffic(this.#tally.lostClient, rest.client);
    if (this.#plan.server.flavour.peerSide) addTraffic(this.#tally.lostPeer, rest.peer);
    this.#tally.lostAllocations += 1;
  }

  #begin(): void {
    this.#tally.allocations += 1;
    this.#plan.server.live.add(this);
    this.#plan.call.allocationBegan();
    this.#meter.addStun(3 + this.#random.below(5));
    this.#announce('new', LIFETIME_SECONDS);
    if (this.#plan.refreshesAtOnce) this.#refresh();
    this.#planNext();
  }

  #planNext(): void {
    this.#timer?.cancel();
    const atMs = Math.min(this.#meter.reportMs, this.#refreshMs, this.#releaseMs, this.#endMs);
    this.#timer = this.#timeline.at(atMs, () => this.#proceed());
  }

  #proceed(): void {
    const { nowMs } = this.#timeline;
    if (this.#meter.reportMs <= nowMs) this.#report(this.#meter.takeReport());
    else if (this.#endMs <= nowMs) return this.#end();
    else if (this.#releaseMs <= nowMs) this.#release();
    else if (this.#refreshMs <= nowMs) this.#refresh();
    this.#planNext();
  }

  #refresh(): void {
    this.#meter.addStun(1);
    this.#announce('refreshed', LIFETIME_SECONDS);
  }

  #release(): void {
    const { nowMs } = this.#timeline;
    const { abandoned, transport } = this.#plan;
    this.#meter.stopRelay(nowMs);
    this.#releaseMs = NEVER;
    this.#refreshMs = NEVER;
    if (isStream(transport)) {
      // The connection closes, and that ends it at once, announced or not.
      if (!abandoned && this.#random.chance(0.5)) this.#announceEnd();
      this.#endMs = nowMs;
    } else if (abandoned) {
      this.#endMs = this.#expiresMs;
    } else {
      this.#announceEnd();
      this.#endMs = nowMs + UDP_LINGER_MS;
    }
  }

  #announceEnd(): void {
    this.#meter.addStun(1);
    this.#announce('refreshed', 0);
    this.#refreshMs = NEVER;
  }

  #announce(kind: 'new' | 'refreshed', lifetimeSeconds: number): void {
    const { server, connection } = this.#plan;
    const { nowMs } = this.#timeline;
    const details = server.flavour.longStatus ? connection : '';
    const text = `${kind} lifetime=${lifetimeSeconds}${details}`;
    if (kind === 'refreshed') this.#tally.refreshes += 1;
    this.#refreshMs = nowMs + REFRESH_AFTER_MS;
    this.#expiresMs = nowMs + lifetimeSeconds * 1000;
    server.set(this.#thread, `${this.#key}/status`, text);
    this.#publish(kind, '/status', text);
  }

  #report(delta: Delta): void {
    const { server, call } = this.#plan;
    addTraffic(this.#client, delta.client);
    addTraffic(this.#tally.client, delta.client);
    this.#publish('traffic', '/traffic', trafficText(delta.client));
    if (server.flavour.peerSide) {
      addTraffic(this.#peer, delta.peer);
      addTraffic(this.#tally.peer, delta.peer);
      this.#publish('traffic_peer', '/traffic/peer', trafficText(delta.peer));
    }
    call.addPublished(delta, server.flavour.peerSide);
  }

  /** The last burst, in the order of coturn-events.md, section 3, rule 4. */
  #end(): void {
    const { server, call } = this.#plan;
    this.#report(this.#meter.takeRest(this.#timeline.nowMs));
    server.delete(this.#thread, `${this.#key}/status`);
    this.#publish('deleted', '/status', 'deleted');
    this.#publish('total_traffic', '/total_traffic', trafficText(this.#client));
    if (server.flavour.peerSide) {
      const wrapped = trafficText(wrapPeerTotal(this.#peer));
      this.#publish('total_traffic_peer', '/total_traffic/peer', wrapped);
    }
    server.live.delete(this);
    call.allocationEnded(false);
  }

  #publish(kind: EventKind, topic: string, text: string): void {
    const message = { thread: this.#thread, channel: this.#key + topic, text };
    this.#plan.server.publish(kind, message);
  }
}

function isStream(transport: ClientTransport): boolean {
  return transport === 'TCP' || transport === 'TLS/TCP';
}
