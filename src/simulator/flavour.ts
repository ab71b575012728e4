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
