import type { AllocationPlan, ClientTransport } from './allocation.ts';
import type { User } from './fleet.ts';
import type { FleetOptions } from './fleet-options.ts';
import { createStream, type Delta, type Flow } from './media.ts';
import type { Random } from './random.ts';
import type { SimulatedServer } from './server.ts';
import type { Timeline } from './timeline.ts';
import { addTraffic, createTraffic, type MutableTraffic } from './traffic.ts';
import type { SessionTruth } from './truth.ts';

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

/** When a call begins and ends, in simulated ms, and whether its media use the relay. */
interface CallShape {
  readonly startMs: number;
  readonly endMs: number;
  readonly relayed: boolean;
}

/** One end of a call: a browser that holds several allocations on one server. */
interface End {
  readonly server: SimulatedServer;
  readonly username: string;
  readonly remoteHost: string;
  readonly localHost: string;
  readonly abandoned: boolean;
  readonly shape: CallShape;
}

const SAME_SERVER_SHARE = 0.85;
const BOTH_ENDS_RELAYED_SHARE = 0.5;
const PRUNED_SHARE = 0.5;
/** Time from the first allocation to the first media: ICE has to choose a pair of candidates. */
const MEDIA_DELAY_MS = 500;
const CREDENTIAL_SECONDS = 86_400;
const TURN_PORT = 3478;
const TURNS_PORT = 5349;
const FIRST_EPHEMERAL_PORT = 32_768;
/** Ranges for documentation: RFC 5737, and RFC 3849 for IPv6. */
const CLIENT_NETWORKS = ['192.0.2', '198.51.100', '203.0.113'] as const;

/** Decides everything that will happen in a call, for both ends. */
export function planCall(
  call: Call,
  shape: CallShape,
  context: {
    readonly servers: readonly SimulatedServer[];
    readonly options: FleetOptions;
    readonly random: Random;
  },
): AllocationPlan[] {
  const { random, servers } = context;
  const first = random.pick(servers);
  const second = random.chance(SAME_SERVER_SHARE) ? first : random.pick(servers);
  const secondRelayed = shape.relayed && random.chance(BOTH_ENDS_RELAYED_SHARE);
  return [
    ...planEnd(call, createEnd(call, first, shape, context), context),
    ...planEnd(
      call,
      createEnd(call, second, { ...shape, relayed: secondRelayed }, context),
      context,
    ),
  ];
}

function createEnd(
  call: Call,
  server: SimulatedServer,
  shape: CallShape,
  { options, random }: { readonly options: FleetOptions; readonly random: Random },
): End {
  const overIpv6 = random.chance(options.ipv6Share);
  // Each end has its own credential, fetched at another moment: the same user, another expiry.
  const fetchedSeconds = Math.floor(shape.startMs / 1000) - random.below(300);
  const expiry = options.epochSeconds + fetchedSeconds + CREDENTIAL_SECONDS;
  return {
    server,
    username: `${expiry}:${call.user.name}`,
    remoteHost: overIpv6 ? ipv6Client(random) : ipv4Client(random),
    localHost: overIpv6 ? `[${server.ipv6Address}]` : server.address,
    abandoned: random.chance(options.abandonedShare),
    shape,
  };
}

/** Two to four allocations, of which at most one relays; it may be replaced midway. */
function planEnd(
  call: Call,
  end: End,
  { options, random }: { readonly options: FleetOptions; readonly random: Random },
): AllocationPlan[] {
  const { shape } = end;
  const transports = chooseTransports(random);
  const chosen = chooseRelay(transports, random);
  const replacedMs =
    shape.relayed && random.chance(options.replacedShare)
      ? random.between(shape.startMs + MEDIA_DELAY_MS, shape.endMs)
      : shape.endMs;
  const plans = transports.map((transport, index) => {
    const startMs = shape.startMs + random.between(0, 300);
    if (shape.relayed && index === chosen) {
      const flow = planFlow(shape, replacedMs, { options, random });
      const releaseMs = replacedMs === shape.endMs ? replacedMs : replacedMs + 2000;
      return planAllocation(call, end, { transport, startMs, releaseMs, flow }, random);
    }
    // Browsers drop the candidates they do not need after a while, or keep them to the end.
    const pruned = random.chance(PRUNED_SHARE);
    const prunedMs = Math.min(shape.endMs, startMs + random.between(5000, 15_000));
    const releaseMs = pruned ? prunedMs : shape.endMs + random.between(0, 200);
    return planAllocation(call, end, { transport, startMs, releaseMs, flow: undefined }, random);
  });
  if (replacedMs < shape.endMs) {
    const flow = planFlow({ ...shape, startMs: replacedMs }, shape.endMs, { options, random });
    const times = { startMs: replacedMs, releaseMs: shape.endMs };
    plans.push(planAllocation(call, end, { transport: 'UDP', ...times, flow }, random));
  }
  return plans;
}

function planAllocation(
  call: Call,
  end: End,
  part: Pick<AllocationPlan, 'transport' | 'startMs' | 'releaseMs' | 'flow'>,
  random: Random,
): AllocationPlan {
  call.expectAllocation();
  return {
    ...part,
    releaseMs: Math.max(part.releaseMs, part.startMs),
    server: end.server,
    call,
    username: end.username,
    connection: describeConnection(end, part.transport, random),
    abandoned: end.abandoned,
    refreshesAtOnce: random.chance(0.5),
  };
}

function planFlow(
  shape: CallShape,
  untilMs: number,
  { options, random }: { readonly options: FleetOptions; readonly random: Random },
): Flow {
  return {
    up: createStream(options.bitrate * random.between(0.5, 1.5)),
    down: createStream(options.bitrate * random.between(0.5, 1.5)),
    fromMs: Math.min(untilMs, shape.startMs + MEDIA_DELAY_MS),
    untilMs,
  };
}

function chooseTransports(random: Random): ClientTransport[] {
  const transports: ClientTransport[] = ['UDP'];
  if (random.chance(0.3)) transports.push('UDP');
  if (random.chance(0.6)) transports.push('TCP');
  if (random.chance(0.03)) transports.push('DTLS');
  else if (transports.length === 1 || random.chance(0.6)) transports.push('TLS/TCP');
  return transports;
}

/** Mostly UDP, which comes first; now and then the last one, which passes the most firewalls. */
function chooseRelay(transports: readonly ClientTransport[], random: Random): number {
  return random.chance(0.8) ? 0 : transports.length - 1;
}

/** `, type=UDP, local=127.0.0.2:3478, remote=192.0.2.7:51000, ssl=NONE, cipher=NONE` */
function describeConnection(end: End, transport: ClientTransport, random: Random): string {
  const overTls = transport === 'TLS/TCP' || transport === 'DTLS';
  const local = `${end.localHost}:${overTls ? TURNS_PORT : TURN_PORT}`;
  const remote = `${end.remoteHost}:${FIRST_EPHEMERAL_PORT + random.below(28_000)}`;
  return `, type=${transport}, local=${local}, remote=${remote}, ${describeTls(transport, random)}`;
}

function describeTls(transport: ClientTransport, random: Random): string {
  if (transport === 'DTLS') return 'ssl=DTLSv1.2, cipher=ECDHE-RSA-AES256-GCM-SHA384';
  if (transport !== 'TLS/TCP') return 'ssl=NONE, cipher=NONE';
  return random.chance(0.8)
    ? 'ssl=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384'
    : 'ssl=TLSv1.2, cipher=ECDHE-RSA-AES256-GCM-SHA384';
}

function ipv4Client(random: Random): string {
  return `${random.pick(CLIENT_NETWORKS)}.${1 + random.below(254)}`;
}

function ipv6Client(random: Random): string {
  return `[2001:db8::${random.below(65_536).toString(16)}]`;
}
