import type { Flavour } from './fleet-options.ts';
import type { Random } from './random.ts';
import { addTraffic, createTraffic, type MutableTraffic, type Traffic } from './traffic.ts';

/** Media in one direction. */
interface Stream {
  readonly packetsPerMs: number;
  /** Mean payload of a packet, without any overhead of TURN. */
  readonly bytesPerPacket: number;
}

/** The media that one allocation relays. */
export interface Flow {
  /** From the client to its peers. */
  readonly up: Stream;
  /** From the peers to the client. */
  readonly down: Stream;
  /** When the media begin and when they stop, in simulated ms. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** One report of coturn: both sides since the report before. */
export interface Delta {
  readonly client: Traffic;
  readonly peer: Traffic;
}

const AUDIO_PACKETS_PER_SECOND = 50;
const VIDEO_BYTES_PER_PACKET = 1100;
const AUDIO_BITS_PER_SECOND = 64_000;
const CHANNEL_HEADER_BYTES = 4;
/** Mean padding of ChannelData over a stream transport, where it is a multiple of 4 (RFC 8656 §12.5). */
const STREAM_PADDING_BYTES = 1.5;

/** Audio of up to 64 kbit/s in 50 packets a second, and the rest of `bitsPerSecond` as video. */
export function createStream(bitsPerSecond: number): Stream {
  const audioBits = Math.min(bitsPerSecond, AUDIO_BITS_PER_SECOND);
  const videoBytes = (bitsPerSecond - audioBits) / 8;
  const packets = AUDIO_PACKETS_PER_SECOND + videoBytes / VIDEO_BYTES_PER_PACKET;
  return {
    packetsPerMs: packets / 1000,
    bytesPerPacket: (videoBytes + audioBits / 8) / packets,
  };
}

/**
 * Counts what one allocation moves and says when coturn reports it: as soon as the packets of both
 * sides together reach the threshold, exactly (coturn 4.6.1, ns_turn_server.c,
 * `turn_report_session_usage()`). Everything is reckoned from rates when it is asked for, so an
 * allocation costs nothing between two reports.
 */
export class TrafficMeter {
  readonly #flavour: Flavour;
  readonly #random: Random;
  readonly #paddingBytes: number;
  readonly #stun: MutableTraffic = createTraffic();
  #flow: Flow | undefined;
  #settledMs = 0;

  /** @param overStream the client is connected by TCP or TLS, where ChannelData is padded */
  constructor(flavour: Flavour, random: Random, overStream: boolean) {
    this.#flavour = flavour;
    this.#random = random;
    this.#paddingBytes = overStream ? STREAM_PADDING_BYTES : 0;
  }

  /** Sets the media it relays. */
  relay(flow: Flow): void {
    this.#flow = flow;
    this.#settledMs = flow.fromMs;
  }

  /** Media stop at `nowMs` if they have not stopped before. */
  stopRelay(nowMs: number): void {
    if (this.#flow === undefined) return;
    this.#flow = { ...this.#flow, untilMs: Math.min(this.#flow.untilMs, nowMs) };
  }

  /** Counts STUN requests of the client and their answers. */
  addStun(requests: number): void {
    this.#stun.receivedPackets += requests;
    this.#stun.receivedBytes += requests * (100 + 4 * this.#random.below(9));
    this.#stun.sentPackets += requests;
    this.#stun.sentBytes += requests * (80 + 4 * this.#random.below(8));
  }

  /** When the next report is due, or `Infinity`. */
  get reportMs(): number {
    if (this.#flow === undefined) return Number.POSITIVE_INFINITY;
    const atMs = this.#settledMs + this.#missingPackets() / packetsPerMs(this.#flow);
    return atMs <= this.#flow.untilMs ? atMs : Number.POSITIVE_INFINITY;
  }

  /** The report that is due at {@link reportMs}. */
  takeReport(): Delta {
    const atMs = this.reportMs;
    const delta = this.#take(this.#missingPackets());
    this.#settledMs = atMs;
    return delta;
  }

  /** What is left below the threshold at `nowMs`; often nothing. */
  takeRest(nowMs: number): Delta {
    const packets = Math.min(this.#relayedPackets(nowMs), this.#missingPackets() - 1);
    const delta = this.#take(Math.max(0, packets));
    this.#settledMs = nowMs;
    return delta;
  }

  /** Media packets until the threshold. Each is counted on both sides, STUN on the client's only. */
  #missingPackets(): number {
    const stunPackets = this.#stun.receivedPackets + this.#stun.sentPackets;
    const sides = this.#flavour.peerSide ? 2 : 1;
    return Math.max(1, (this.#flavour.reportPackets - stunPackets) / sides);
  }

  #relayedPackets(nowMs: number): number {
    if (this.#flow === undefined) return 0;
    const elapsedMs = Math.min(nowMs, this.#flow.untilMs) - this.#settledMs;
    return Math.floor(Math.max(0, elapsedMs) * packetsPerMs(this.#flow));
  }

  #take(packets: number): Delta {
    const client = createTraffic();
    const peer = createTraffic();
    addTraffic(client, this.#stun);
    Object.assign(this.#stun, createTraffic());
    if (this.#flow === undefined || packets === 0) return { client, peer };
    const { up, down } = this.#flow;
    const upShare = up.packetsPerMs / packetsPerMs(this.#flow) + this.#random.between(-0.02, 0.02);
    const upPackets = Math.min(packets, Math.max(0, Math.round(packets * upShare)));
    const downPackets = packets - upPackets;
    const upBytes = this.#bytes(up, upPackets);
    const downBytes = this.#bytes(down, downPackets);
    client.receivedPackets += upPackets;
    client.receivedBytes += upBytes + this.#overheadBytes(upPackets);
    client.sentPackets += downPackets;
    client.sentBytes += downBytes + this.#overheadBytes(downPackets);
    peer.receivedPackets = downPackets;
    peer.receivedBytes = downBytes;
    peer.sentPackets = upPackets;
    peer.sentBytes = upBytes + upPackets * this.#flavour.extraPeerSentBytes;
    return { client, peer };
  }

  #bytes(stream: Stream, packets: number): number {
    return Math.round(packets * stream.bytesPerPacket * this.#random.between(0.95, 1.05));
  }

  #overheadBytes(packets: number): number {
    return packets * CHANNEL_HEADER_BYTES + Math.round(packets * this.#paddingBytes);
  }
}

function packetsPerMs(flow: Flow): number {
  return flow.up.packetsPerMs + flow.down.packetsPerMs;
}
