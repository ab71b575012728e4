import { describe, expect, it } from 'vitest';
import { type Datagram, PcapReader } from '../../support/packet-capture.ts';

/** What tcpdump wrote of `hi\n` sent from port 59094 to port 9999 of 127.0.0.1. */
const FILE = Buffer.from(
  `d4c3b2a10200040000000000000000006000000001000000
   8dc9016bf17405002d0000002d000000
   0000000000000000000000000800
   4500001f76884000401 1c6437f0000017f000001
   e6d6270f000bfe1e 68690a`.replaceAll(/\s/g, ''),
  'hex',
);
const HI: Datagram = {
  atMs: 1_795_279_245_357.617,
  from: 59_094,
  to: 9999,
  bytes: 3,
  isStun: false,
};
const FILE_HEADER_BYTES = 24;

function record(frame: string): Buffer {
  const bytes = Buffer.from(frame.replaceAll(/\s/g, ''), 'hex');
  const header = Buffer.alloc(16);
  header.writeUInt32LE(bytes.length, 8);
  header.writeUInt32LE(bytes.length, 12);
  return Buffer.concat([header, bytes]);
}

describe('PcapReader', () => {
  it('reads a datagram over IPv4', () => {
    expect(new PcapReader().push(FILE)).toEqual([HI]);
  });

  it('reads the same byte by byte, and split at every place', () => {
    const reader = new PcapReader();
    expect([...FILE].flatMap((byte) => reader.push(Buffer.from([byte])))).toEqual([HI]);
    for (let at = 1; at < FILE.length; at += 1) {
      const split = new PcapReader();
      const parts = [FILE.subarray(0, at), FILE.subarray(at)];
      expect(parts.flatMap((part) => split.push(part))).toEqual([HI]);
    }
  });

  it('reads IPv6, tells STUN by its cookie, and takes the length that the header of UDP tells', () => {
    const frame = `0000000000000000 00000000 86dd 60000000 0064 11 40
      00000000000000000000000000000001 00000000000000000000000000000001
      1388 1389 0064 0000 0001 0048 2112a442`;
    const reader = new PcapReader();
    const header = FILE.subarray(0, FILE_HEADER_BYTES);
    expect(reader.push(Buffer.concat([header, record(frame)]))).toEqual([
      { atMs: 0, from: 5000, to: 5001, bytes: 92, isStun: true },
    ]);
  });

  it('passes over what is not UDP', () => {
    const tcp = `0000000000000000 00000000 0800 45000028 00000000 40060000 7f000001 7f000001
      1388 1389 00000000`;
    const reader = new PcapReader();
    expect(reader.push(Buffer.concat([FILE, record(tcp)]))).toEqual([HI]);
  });

  it('refuses what is no pcap', () => {
    expect(() => new PcapReader().push(Buffer.alloc(FILE_HEADER_BYTES))).toThrow(SyntaxError);
  });
});
