import { describe, expect, it } from 'vitest';
import { parseStatsKey, type StatsKey } from '../../../src/coturn/key.ts';
import { parseStatus, readTraffic } from '../../../src/coturn/payload.ts';
import {
  DEMO_FLEET,
  FLAVOUR_NAMES,
  type FleetOptions,
} from '../../../src/simulator/fleet-options.ts';
import { addTraffic, createTraffic, type Traffic } from '../../../src/simulator/traffic.ts';
import { countEvents, sumTallies } from '../../../src/simulator/truth.ts';
import { type Deed, type Recording, record, recordFleet } from './recorder.ts';

const EVERYTHING: Partial<FleetOptions> = {
  seed: 11,
  servers: 3,
  flavours: FLAVOUR_NAMES,
  realms: ['example.org', 'example.net', 'bücher.example'],
  users: 200,
  arrivalRate: 2,
  callLengthSeconds: 30,
  noiseRate: 1,
  crashRate: 30,
  abandonedShare: 0.2,
  replacedShare: 0.5,
  ipv6Share: 0.3,
  peerToPeerShare: 0.4,
};
const CALM: Partial<FleetOptions> = { ...EVERYTHING, crashRate: 0 };

/** What was published, in order, by server and allocation. */
function byAllocation(recording: Recording): Map<string, { deed: Deed; key: StatsKey }[]> {
  const streams = new Map<string, { deed: Deed; key: StatsKey }[]>();
  for (const deed of recording.deeds) {
    if (deed.kind !== 'publish' || deed.key === '__XXX__') continue;
    const key = keyOf(deed);
    const name = `${deed.server} ${key.allocationKey}`;
    const stream = streams.get(name) ?? [];
    stream.push({ deed, key });
    streams.set(name, stream);
  }
  return streams;
}

function keyOf(deed: Deed): StatsKey {
  const key = parseStatsKey(deed.key);
  if (!key.ok) throw new Error(`Not a key: ${deed.key}`);
  return key;
}

function trafficOf(text: string): Traffic {
  const numbers = new Float64Array(4);
  const refused = readTraffic(text, numbers);
  if (refused !== undefined) throw new Error(`${refused}: ${text}`);
  const [receivedPackets = 0, receivedBytes = 0, sentPackets = 0, sentBytes = 0] = numbers;
  return { receivedPackets, receivedBytes, sentPackets, sentBytes };
}

function sumOf(stream: readonly { deed: Deed; key: StatsKey }[], topic: string): Traffic {
  const sum = createTraffic();
  for (const { deed, key } of stream) {
    if (key.topic === topic) addTraffic(sum, trafficOf(deed.text));
  }
  return sum;
}

function steps(stream: readonly { deed: Deed; key: StatsKey }[]): string[] {
  return stream.map(({ deed, key }) =>
    key.topic === 'status' ? deed.text.replace(/,.*/, '') : key.topic,
  );
}

function modulo32(traffic: Traffic): Record<string, number> {
  return Object.fromEntries(Object.entries(traffic).map(([name, sum]) => [name, sum % 2 ** 32]));
}

describe('Fleet', () => {
  it('does the same for the same seed, whatever the steps of time', () => {
    const whole = record(EVERYTHING, 120);
    const { fleet, deeds } = recordFleet(EVERYTHING);
    for (let untilMs = 0; untilMs <= 120_000; untilMs += 700) {
      while (!fleet.advance({ untilMs: Math.min(untilMs, 120_000), maxEvents: 7 }));
    }
    fleet.advance({ untilMs: 120_000, maxEvents: Number.POSITIVE_INFINITY });
    expect(deeds.length).toBeGreaterThan(1000);
    expect(whole.deeds.slice(0, deeds.length)).toEqual(deeds);
    expect(record({ ...EVERYTHING, seed: 12 }, 120).deeds).not.toEqual(whole.deeds);
  });

  it('says only what the parsers understand', () => {
    const published = record(EVERYTHING, 300).deeds.filter(({ kind }) => kind === 'publish');
    for (const { key, text } of published) {
      if (key === '__XXX__') expect(text).toBe('__YYY__');
      else if (key.endsWith('/status')) expect(parseStatus(text).ok).toBe(true);
      else trafficOf(text);
    }
  });

  it('keeps the order of messages of every allocation', () => {
    const streams = [...byAllocation(record(CALM, 300)).values()];
    const allocations = streams.filter((stream) => steps(stream).includes('new lifetime=600'));
    expect(allocations.length).toBeGreaterThan(500);
    for (const stream of allocations) {
      const order = steps(stream).join(' ');
      const expected = stream[0]?.deed.text.includes('type=')
        ? /^new lifetime=600( refreshed lifetime=600| traffic traffic\/peer)*( refreshed lifetime=0)?( traffic traffic\/peer)+ deleted total_traffic total_traffic\/peer$/
        : /^new lifetime=600( refreshed lifetime=600| traffic)*( refreshed lifetime=0)?( traffic)+ deleted total_traffic$/;
      expect(order).toMatch(expected);
      expect(new Set(stream.map(({ deed }) => deed.thread)).size).toBe(1);
      expect(Number(stream[0]?.key.allocationKey.slice(-18, -15))).toBe(stream[0]?.deed.thread);
    }
  });

  it('reports every 4096 packets of both sides, exactly; 2048 of one side before 4.5.1.2', () => {
    const streams = [...byAllocation(record({ ...CALM, peerToPeerShare: 0 }, 200)).values()];
    let reports = 0;
    for (const stream of streams) {
      const last = stream.findLastIndex(({ key }) => key.topic === 'traffic');
      for (const [index, { deed, key }] of stream.entries()) {
        if (key.topic !== 'traffic' || index === last) continue;
        const twin = stream[index + 1];
        const client = trafficOf(deed.text);
        const packets = client.receivedPackets + client.sentPackets;
        if (twin?.key.topic === 'traffic/peer') {
          const peer = trafficOf(twin.deed.text);
          expect(packets + peer.receivedPackets + peer.sentPackets).toBe(4096);
        } else expect(packets).toBe(2048);
        reports += 1;
      }
    }
    expect(reports).toBeGreaterThan(500);
  });

  it('totals what it reported, and counts it in its truth', () => {
    const recording = record(CALM, 300);
    const [client, peer] = [createTraffic(), createTraffic()];
    for (const stream of byAllocation(recording).values()) {
      const isAllocation = stream.some(({ key }) => key.topic === 'status');
      if (!isAllocation) continue;
      expect(sumOf(stream, 'total_traffic')).toEqual(sumOf(stream, 'traffic'));
      expect(sumOf(stream, 'total_traffic/peer')).toEqual(modulo32(sumOf(stream, 'traffic/peer')));
      addTraffic(client, sumOf(stream, 'traffic'));
      addTraffic(peer, sumOf(stream, 'traffic/peer'));
    }
    const truth = recording.fleet.truth();
    expect(sumTallies(truth.realms)).toMatchObject({ client, peer });
    expect(sumTallies(truth.servers)).toMatchObject({ client, peer });
    const sessions = createTraffic();
    for (const session of recording.sessions) addTraffic(sessions, session.client);
    expect(sessions).toEqual(client);
    expect(truth.realms.reduce((sum, realm) => sum + realm.sessions, 0)).toBe(
      recording.sessions.length,
    );
    const published = recording.deeds.filter(({ kind }) => kind === 'publish');
    expect(countEvents(truth.events)).toBe(published.length);
  });

  it('wraps the totals of the peer side at 2^32, and only those', () => {
    const options = { ...CALM, flavours: ['4.6.1'] as const, arrivalRate: 0.02, bitrate: 1e9 };
    const recording = record({ ...options, peerToPeerShare: 0, callLengthSeconds: 120 }, 200);
    let wraps = 0;
    for (const stream of byAllocation(recording).values()) {
      const peer = sumOf(stream, 'traffic/peer');
      if (peer.receivedBytes < 2 ** 32) continue;
      wraps += 1;
      expect(sumOf(stream, 'total_traffic')).toEqual(sumOf(stream, 'traffic'));
      expect(sumOf(stream, 'total_traffic/peer')).toEqual(modulo32(peer));
    }
    expect(wraps).toBeGreaterThan(0);
  });

  it('ends UDP allocations 1 s after lifetime=0, and abandoned ones at their lifetime', () => {
    let abandoned = 0;
    let announced = 0;
    for (const stream of byAllocation(record(CALM, 200)).values()) {
      const ended = stream.find(({ deed }) => deed.text === 'deleted');
      const last = stream.findLast(({ deed }) => /^(new|refreshed)/.test(deed.text));
      if (!ended || !last?.deed.text.includes('type=UDP')) continue;
      const tookMs = ended.deed.atMs - last.deed.atMs;
      if (last.deed.text.includes('lifetime=0')) announced += 1;
      else abandoned += 1;
      expect(tookMs).toBeCloseTo(last.deed.text.includes('lifetime=0') ? 1000 : 600_000, 6);
    }
    expect(abandoned).toBeGreaterThan(20);
    expect(announced).toBeGreaterThan(100);
  });

  it('sets and deletes the status key beside what it publishes', () => {
    const { deeds } = record(CALM, 100);
    const keys = new Map<string, string>();
    for (const [index, deed] of deeds.entries()) {
      if (deed.kind === 'del') expect(keys.delete(`${deed.server} ${deed.key}`)).toBe(true);
      if (deed.kind !== 'set') continue;
      keys.set(`${deed.server} ${deed.key}`, deed.text);
      expect(deeds[index + 1]).toEqual({ ...deed, kind: 'publish' });
    }
    expect(keys.size).toBe(0);
  });

  it('numbers sessions from 1 on every thread, and again after a crash', () => {
    const { deeds } = record({ ...EVERYTHING, servers: 1, crashRate: 60 }, 200);
    const start = deeds.findIndex(({ kind }) => kind === 'started');
    const lives = [deeds.slice(0, start), deeds.slice(start)];
    expect(start).toBeGreaterThan(0);
    for (const life of lives) {
      const ids = life.filter(({ text }) => text.startsWith('new ')).map(keyOf);
      expect(ids.map(({ allocationKey }) => allocationKey.slice(-18))).toContain(
        '000000000000000001',
      );
    }
  });

  it('is silent about what a crash has cut off, and knows how much that was', () => {
    const recording = record({ ...EVERYTHING, noiseRate: 0 }, 300);
    const truth = sumTallies(recording.fleet.truth().realms);
    const ended = recording.deeds.filter(({ text }) => text === 'deleted').length;
    expect(truth.lostAllocations).toBeGreaterThan(0);
    expect(truth.allocations - truth.lostAllocations).toBe(ended);
    expect(truth.lostClient.receivedBytes).toBeGreaterThan(0);
    expect(recording.sessions.some(({ crashed }) => crashed)).toBe(true);
  });

  it('publishes traffic, and nothing else, of clients without an allocation', () => {
    const recording = record({ ...CALM, arrivalRate: 0, noiseRate: 5 }, 200);
    const unallocated = createTraffic();
    const usernames = new Set<string>();
    for (const stream of byAllocation(recording).values()) {
      expect(steps(stream).join(' ')).toMatch(/^traffic( traffic\/peer)?$/);
      expect(sumOf(stream, 'traffic/peer')).toEqual(createTraffic());
      addTraffic(unallocated, sumOf(stream, 'traffic'));
      usernames.add(stream[0]?.key.username ?? '-');
    }
    expect(sumTallies(recording.fleet.truth().accounts)).toMatchObject({ unallocated });
    expect(usernames).toContain('');
    expect(usernames.size).toBeGreaterThan(50);
  });

  it('lets the given share of calls go from peer to peer, without any peer bytes', () => {
    const options = { ...CALM, flavours: ['4.17.1'] as const, users: 2000, arrivalRate: 5 };
    const { sessions } = record({ ...options, peerToPeerShare: 0.7 }, 300);
    const direct = sessions.filter(({ peer }) => peer.receivedBytes + peer.sentBytes === 0);
    expect(sessions.length).toBeGreaterThan(1000);
    expect(direct.length / sessions.length).toBeCloseTo(0.7, 1);
  });

  it('gives both ends of a call the same user with different expiries', () => {
    const recording = record({ ...CALM, noiseRate: 0 }, 100);
    const usernames = new Map<string, Set<string>>();
    for (const deed of recording.deeds.filter(({ text }) => text.startsWith('new '))) {
      const key = keyOf(deed);
      const user = key.username.replace(/^\d+:/, '');
      usernames.set(user, (usernames.get(user) ?? new Set()).add(key.username));
    }
    const counts = [...usernames.values()].map(({ size }) => size);
    expect(counts.filter((count) => count >= 2).length / counts.length).toBeGreaterThan(0.9);
  });

  it('refuses calls when nobody is free', () => {
    const { fleet } = record({ ...CALM, users: 3, arrivalRate: 5 }, 60);
    expect(fleet.truth().calls.refused).toBeGreaterThan(0);
  });

  it('sends keepalives from each relay thread and the listener, in 4.6.1 only', () => {
    const options = { servers: 2, flavours: ['4.6.1', '4.17.1'] as const, arrivalRate: 0 };
    const { deeds } = record({ ...options, noiseRate: 0 }, 12);
    expect(deeds.map(({ atMs, server, thread }) => [atMs, server, thread])).toEqual(
      [5000, 10_000].flatMap((atMs) => [0, 1, 2].map((thread) => [atMs, '127.0.0.2', thread])),
    );
  });

  it('counts what live allocations have not told when it is abandoned', () => {
    const { fleet } = recordFleet({ ...CALM, peerToPeerShare: 0 });
    fleet.advance({ untilMs: 60_000, maxEvents: Number.POSITIVE_INFINITY });
    fleet.abandon();
    const { lostAllocations, lostClient } = sumTallies(fleet.truth().realms);
    expect(lostAllocations).toBeGreaterThan(0);
    expect(lostClient.sentBytes).toBeGreaterThan(0);
  });

  it('finishes calls within seconds in the demo, relayed ones too', () => {
    const { fleet, sessions } = recordFleet(DEMO_FLEET);
    fleet.advance({ untilMs: 8000, maxEvents: Number.POSITIVE_INFINITY });
    expect(sessions.length).toBeGreaterThan(1);
    fleet.advance({ untilMs: 20_000, maxEvents: Number.POSITIVE_INFINITY });
    expect(sessions.some(({ peer }) => peer.receivedBytes > 0)).toBe(true);
  });
});
