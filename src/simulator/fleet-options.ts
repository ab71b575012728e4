/** What a simulated fleet is like. Times are simulated, rates per simulated second. */
export interface FleetOptions {
  /** Everything random follows from it. */
  readonly seed: number;
  readonly servers: number;
  /** Relay threads per server, each with its own connection and its own range of ids. */
  readonly relayThreads: number;
  /** Versions of coturn, dealt to the servers in turn. */
  readonly flavours: readonly FlavourName[];
  readonly realms: readonly string[];
  /** People; each belongs to one realm and is in one call at a time. */
  readonly users: number;
  /** New calls per second; a call that finds no free user or no running server is refused. */
  readonly arrivalRate: number;
  /** Mean length of a call in seconds. */
  readonly callLengthSeconds: number;
  /** Mean bits per second of the media of one call in each direction. */
  readonly bitrate: number;
  /** Share of calls, 0 to 1, whose media do not use the relay. */
  readonly peerToPeerShare: number;
  /** Share of relayed calls, 0 to 1, that replace their relay allocation midway. */
  readonly replacedShare: number;
  /** Share of call ends, 0 to 1, that vanish without giving up their allocations. */
  readonly abandonedShare: number;
  /** Share of call ends, 0 to 1, that reach the server over IPv6. */
  readonly ipv6Share: number;
  /** Clients without an allocation (STUN, health checks, failed logins) per second. */
  readonly noiseRate: number;
  /** Crashes of each server per hour. */
  readonly crashRate: number;
  /** Unix time of the start in seconds, for the expiry in REST usernames; an argument, no clock. */
  readonly epochSeconds: number;
}

/** A small fleet that shows everything but crashes. */
export const DEFAULT_FLEET: FleetOptions = {
  seed: 1,
  servers: 2,
  relayThreads: 2,
  flavours: ['4.6.1'],
  realms: ['example.org', 'example.net'],
  users: 1000,
  arrivalRate: 1,
  callLengthSeconds: 60,
  bitrate: 1_000_000,
  peerToPeerShare: 0.7,
  replacedShare: 0.1,
  abandonedShare: 0.05,
  ipv6Share: 0,
  noiseRate: 0.2,
  crashRate: 0,
  epochSeconds: 1_750_000_000,
};

/**
 * What `demo` shows: a small fleet at real speed in which something happens every second. The first
 * calls are over within a few seconds, so that session records can be seen.
 */
export const DEMO_FLEET: Partial<FleetOptions> = {
  servers: 3,
  flavours: ['4.6.1', '4.17.1'],
  realms: ['example.org', 'example.net', 'meet.example.com'],
  users: 100,
  arrivalRate: 2,
  callLengthSeconds: 15,
  bitrate: 2_000_000,
  peerToPeerShare: 0.6,
  ipv6Share: 0.1,
  noiseRate: 0.5,
};

/** The versions of coturn that can be simulated; each stands for those up to the next. */
export const FLAVOUR_NAMES = ['4.5.0.8', '4.6.1', '4.17.1'] as const;
export type FlavourName = (typeof FLAVOUR_NAMES)[number];

/** How one version of coturn differs on the wire from the others (coturn-events.md, section 1). */
export interface Flavour {
  readonly name: FlavourName;
  /** Status messages tell transport, addresses and TLS (since 4.6.0). */
  readonly longStatus: boolean;
  /** Has `traffic/peer` and `total_traffic/peer`, and counts both sides (since 4.5.1.2). */
  readonly peerSide: boolean;
  /** Packets after which a delta is reported: client side only, or both sides with `peerSide`. */
  readonly reportPackets: number;
  /** Time between keepalives in ms; 0 for none (since 4.6.2). */
  readonly keepaliveMs: number;
  /** Sends `AUTH ""` when it has no password (until 4.6.2). */
  readonly emptyAuth: boolean;
  /** Bytes too many per packet in the peer side's `sentb` of clients that use channels. */
  readonly extraPeerSentBytes: number;
  /** Reports every failed request by itself and at once, UDP STUN bindings not at all. */
  readonly noiseAtOnce: boolean;
}

/** What is known of each {@link FlavourName}, from recordings of it. */
export const FLAVOURS: Readonly<Record<FlavourName, Flavour>> = {
  '4.5.0.8': {
    name: '4.5.0.8',
    longStatus: false,
    peerSide: false,
    reportPackets: 2048,
    keepaliveMs: 5000,
    emptyAuth: true,
    extraPeerSentBytes: 0,
    noiseAtOnce: false,
  },
  '4.6.1': {
    name: '4.6.1',
    longStatus: true,
    peerSide: true,
    reportPackets: 4096,
    keepaliveMs: 5000,
    emptyAuth: true,
    extraPeerSentBytes: 0,
    noiseAtOnce: false,
  },
  '4.17.1': {
    name: '4.17.1',
    longStatus: true,
    peerSide: true,
    reportPackets: 4096,
    keepaliveMs: 0,
    emptyAuth: false,
    extraPeerSentBytes: 4,
    noiseAtOnce: true,
  },
};
