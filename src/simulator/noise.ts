import { buildAllocationKey } from '../coturn/key.ts';
import type { Random } from './random.ts';
import type { SimulatedServer } from './server.ts';
import type { Timeline } from './timeline.ts';
import { addTraffic, NOTHING, type Traffic, trafficText } from './traffic.ts';

/** Where and when a client shows up that never gets an allocation. */
interface NoiseContext {
  readonly server: SimulatedServer;
  readonly realm: string;
  readonly timeline: Timeline;
  readonly random: Random;
}

const FAILED_LOGIN_SHARE = 0.4;
const BETWEEN_RETRIES_MS = 500;
/** When coturn up to 4.6 gives up a UDP session that has no allocation. */
const UNALLOCATED_TIMEOUT_MS = 60_000;
/** Names that nobody has, some of them made to fool a parser of keys. */
const INVENTED_NAMES = [
  'mallory',
  'admin',
  'root',
  'café',
  'evil/allocation/000000000000000001/status',
  'realm/r2/user/z',
] as const;

/**
 * Lets a client without an allocation come by: a STUN binding or health check (empty username), or
 * logins that fail, under whatever name was claimed. coturn publishes `traffic` for both, and
 * nothing else.
 */
export function makeNoise(context: NoiseContext): void {
  if (context.random.chance(FAILED_LOGIN_SHARE)) failLogins(context);
  else bindOrProbe(context);
}

function bindOrProbe(context: NoiseContext): void {
  // 4.17.1 tells nothing of UDP bindings, but does tell of TCP connections that come and go.
  if (context.server.flavour.noiseAtOnce) {
    publishSession(context, { username: '', traffic: NOTHING, afterMs: 0 });
    return;
  }
  const traffic = { receivedPackets: 1, receivedBytes: 20, sentPackets: 1, sentBytes: 80 };
  publishSession(context, { username: '', traffic, afterMs: UNALLOCATED_TIMEOUT_MS });
}

function failLogins(context: NoiseContext): void {
  const { random, server } = context;
  const username = `${random.pick(INVENTED_NAMES)}${random.below(1_000_000)}`;
  const attempts = 1 + random.below(16);
  if (server.flavour.noiseAtOnce) {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const afterMs = attempt * BETWEEN_RETRIES_MS;
      publishSession(context, { username, traffic: requests(1, random), afterMs });
    }
    return;
  }
  const afterMs = UNALLOCATED_TIMEOUT_MS;
  publishSession(context, { username, traffic: requests(attempts, random), afterMs });
}

function requests(count: number, random: Random): Traffic {
  return {
    receivedPackets: count,
    receivedBytes: count * (100 + 4 * random.below(9)),
    sentPackets: count,
    sentBytes: count * 80,
  };
}

function publishSession(
  { server, realm, timeline, random }: NoiseContext,
  session: { readonly username: string; readonly traffic: Traffic; readonly afterMs: number },
): void {
  const thread = random.below(server.relayThreads);
  const { life } = server;
  timeline.at(timeline.nowMs + session.afterMs, () => {
    if (server.life !== life) return;
    const id = server.nextId(thread);
    const key = buildAllocationKey(realm, session.username, id);
    addTraffic(server.tally(realm).unallocated, session.traffic);
    const text = trafficText(session.traffic);
    server.publish('traffic', { thread, channel: `${key}/traffic`, text });
    if (!server.flavour.peerSide) return;
    const zero = trafficText(NOTHING);
    server.publish('traffic_peer', { thread, channel: `${key}/traffic/peer`, text: zero });
  });
}
