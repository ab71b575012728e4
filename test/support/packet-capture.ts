import { spawn, spawnSync } from 'node:child_process';
import type { Defer } from './cleanup.ts';
import { until } from './until.ts';

/** A UDP datagram that crossed the loopback interface. */
export interface Datagram {
  /** Unix time in ms. */
  readonly atMs: number;
  readonly from: number;
  readonly to: number;
  /** Bytes of its payload. */
  readonly bytes: number;
  /** A message of STUN (RFC 8489 §5), which between peers is one of ICE's checks. */
  readonly isStun: boolean;
}

export interface PacketCapture {
  /** All datagrams up to now. */
  readonly datagrams: readonly Datagram[];
  /** Ends it. Throws when the kernel had to drop some. */
  stop(): Promise<readonly Datagram[]>;
}

/** Enough for the headers of IPv6 and UDP and for the cookie of STUN. */
const SNAPSHOT_BYTES = 96;
const STUN_COOKIE = 0x2112a442;

/** Why {@link startPacketCapture} cannot work here; undefined when it can. */
export function whyNoCapture(): string | undefined {
  const { status, stderr } = spawnSync('tcpdump', ['-i', 'lo', '-c', '0', '-d'], {
    encoding: 'utf8',
  });
  if (status === 0 && process.getuid?.() === 0) return undefined;
  return `tcpdump must be there and may capture: ${stderr?.trim() || 'run as root'}`;
}

/** Writes down every datagram on the loopback interface from or to a port of this range. */
export async function startPacketCapture(
  defer: Defer,
  ports: { readonly first: number; readonly last: number },
): Promise<PacketCapture> {
  const filter = `udp portrange ${ports.first}-${ports.last}`;
  const child = spawn(
    'tcpdump',
    [
      ...['-i', 'lo', '-s', String(SNAPSHOT_BYTES), '-B', '16384', '--immediate-mode'],
      ...['-Z', 'root', '-U', '-w', '-', filter],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exited = new Promise((resolve) => child.once('close', resolve));
  const reader = new PcapReader();
  const datagrams: Datagram[] = [];
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => datagrams.push(...reader.push(chunk)));
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.once('error', (failure) => {
    said += failure.message;
  });
  const stop = async () => {
    child.kill('SIGINT');
    await exited;
  };
  defer(stop);
  await until(() => said, {
    what: 'tcpdump to listen',
    isDone: (text) => /listening on/.test(text),
  });
  return {
    datagrams,
    async stop() {
      await stop();
      const dropped = /(\d+) packets? dropped by kernel/.exec(said)?.[1];
      if (dropped !== '0') throw new Error(`tcpdump lost datagrams: ${said}`);
      return datagrams;
    },
  };
}

const FILE_HEADER_BYTES = 24;
const PACKET_HEADER_BYTES = 16;
const ETHERNET_BYTES = 14;
const UDP_BYTES = 8;
/** Magic numbers of pcap, with times in micro- and in nanoseconds. */
const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;

/** Reads a stream of pcap as tcpdump writes it for an Ethernet-like interface, little-endian. */
export class PcapReader {
  #input: Buffer = Buffer.alloc(0);
  #fractionsPerMs = 0;

  /** Takes what arrived and gives the UDP datagrams that are complete now. */
  push(chunk: Buffer): Datagram[] {
    this.#input = Buffer.concat([this.#input, chunk]);
    let offset = this.#readFileHeader();
    const datagrams: Datagram[] = [];
    while (this.#fractionsPerMs > 0 && this.#input.length >= offset + PACKET_HEADER_BYTES) {
      const captured = this.#input.readUInt32LE(offset + 8);
      const start = offset + PACKET_HEADER_BYTES;
      if (this.#input.length < start + captured) break;
      const seconds = this.#input.readUInt32LE(offset);
      const fraction = this.#input.readUInt32LE(offset + 4);
      const atMs = seconds * 1000 + fraction / this.#fractionsPerMs;
      const datagram = readFrame(this.#input.subarray(start, start + captured), atMs);
      if (datagram !== undefined) datagrams.push(datagram);
      offset = start + captured;
    }
    this.#input = this.#input.subarray(offset);
    return datagrams;
  }

  #readFileHeader(): number {
    if (this.#fractionsPerMs > 0 || this.#input.length < FILE_HEADER_BYTES) return 0;
    const magic = this.#input.readUInt32LE(0);
    if (magic !== MICROSECONDS && magic !== NANOSECONDS) throw new SyntaxError('Not a pcap stream');
    this.#fractionsPerMs = magic === MICROSECONDS ? 1_000 : 1_000_000;
    return FILE_HEADER_BYTES;
  }
}

function readFrame(frame: Buffer, atMs: number): Datagram | undefined {
  const etherType = frame.readUInt16BE(12);
  const ip = frame.subarray(ETHERNET_BYTES);
  if (etherType === 0x0800 && ip[9] === 17)
    return readUdp(ip.subarray(((ip[0] ?? 0) & 15) * 4), atMs);
  if (etherType === 0x86dd && ip[6] === 17) return readUdp(ip.subarray(40), atMs);
  return undefined;
}

function readUdp(udp: Buffer, atMs: number): Datagram {
  const payload = udp.subarray(UDP_BYTES);
  const isStun =
    payload.length >= 8 && (payload[0] ?? 255) < 4 && payload.readUInt32BE(4) === STUN_COOKIE;
  const bytes = udp.readUInt16BE(4) - UDP_BYTES;
  return { atMs, from: udp.readUInt16BE(0), to: udp.readUInt16BE(2), bytes, isStun };
}
