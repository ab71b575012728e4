import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { channelHeaderBytes, hasDifference } from '../support/coturn-version.ts';
import type { Exposition } from '../support/exposition.ts';
import { countersOf, recordSums } from '../support/scripted-coturn.ts';
import {
  runTurnClient,
  type TurnClientOptions,
  type TurnClientReport,
} from '../support/turn-client.ts';
import { type HeardTurn, REALM, recordsOf, startHeardTurn, untilOver } from './call-scene.ts';

/**
 * Every way in which coturn's own client can call: all that it sends through the relay is counted,
 * to the byte. `npm run test:long` does it with more clients and more messages.
 */
const isLong = process.env['LONG'] === '1';
const SCALE = isLong ? 10 : 1;
const PASSWORD = 'correct-horse';
/** The allocation that uclient makes to try whether it can, and leaves, ends by this over UDP. */
const LIFETIME_SECONDS = isLong ? 60 : 12;

const ATTEMPTS = 4;

interface Case extends Pick<TurnClientOptions, 'extraArguments' | 'clients'> {
  readonly username: string;
  readonly transport: NonNullable<TurnClientOptions['transport']>;
  readonly messages: number;
  readonly messageLength: number;
  /** It sends Send indications, or on a connection of its own; others use channels. */
  readonly hasNoChannel?: boolean;
  /** Its peer side is TCP: bytes are the same, packets are what TCP makes of them. */
  readonly isTcpRelay?: boolean;
}

const TRANSPORTS = ['udp', 'tcp', 'tls', 'dtls'] as const;
const METHODS = [
  { method: 'channels', extraArguments: [], hasNoChannel: false },
  { method: 'indications', extraArguments: ['-s'], hasNoChannel: true },
];
const CASES: readonly Case[] = [
  ...TRANSPORTS.flatMap((transport, row) =>
    METHODS.map(({ method, ...way }, column) => ({
      username: `${transport}-${method}`,
      transport,
      messages: (40 + 7 * row + 3 * column) * SCALE,
      // Smaller ones, and so few, would be taken for checks of ICE.
      messageLength: 200 + 11 * row + 5 * column,
      ...way,
    })),
  ),
  ...(['tcp', 'tls'] as const).map((transport) => ({
    username: `${transport}-rfc6062`,
    transport,
    messages: 30 * SCALE,
    messageLength: 150,
    extraArguments: ['-T'],
    hasNoChannel: true,
    isTcpRelay: true,
  })),
  {
    username: 'mobile',
    transport: 'udp',
    messages: 60 * SCALE,
    messageLength: 144,
    extraArguments: ['-M'],
  },
  { username: 'many', transport: 'udp', clients: 12 * SCALE, messages: 20, messageLength: 171 },
  ...(hasIpv6()
    ? [
        {
          username: 'ipv6',
          transport: 'udp' as const,
          messages: 50 * SCALE,
          messageLength: 133,
          extraArguments: ['-x'],
        },
      ]
    : []),
];

const cleanup = createCleanup();
const reports = new Map<string, TurnClientReport>();
let heard: HeardTurn;
let after: readonly Exposition[];

beforeAll(async () => {
  heard = await startHeardTurn(cleanup.defer, {
    users: Object.fromEntries(CASES.map(({ username }) => [username, PASSWORD])),
    maxAllocateLifetime: LIFETIME_SECONDS,
    manyRelayPorts: true,
    extraLines: ['mobility', ...(hasIpv6() ? ['relay-ip=::1'] : [])],
  });
  await Promise.all(
    CASES.map(async (one) => {
      const account = { server: heard.turn, password: PASSWORD, packetIntervalMs: 10 };
      let report = await runTurnClient(cleanup.defer, { ...one, ...account });
      // With mobility it gives up, before it sends anything, where a busy machine answers late.
      for (let attempt = 1; attempt < ATTEMPTS && report.sentMessages === 0; attempt += 1) {
        report = await runTurnClient(cleanup.defer, { ...one, ...account });
      }
      reports.set(one.username, report);
    }),
  );
  after = await untilOver(heard, 3 * 60_000);
}, 600_000);

afterAll(() => cleanup.run());

describe('clients of coturn itself', () => {
  it.each(CASES)('$username lost nothing to measure against', (one) => {
    const { clients = 2, messages, username, transport } = one;
    expect(reports.get(username)).toMatchObject({
      exitCode: 0,
      sentMessages: clients * messages,
      // Of what coturn relays to it over TLS, uclient misses some at the end.
      ...(transport === 'tls' ? {} : { receivedMessages: clients * messages }),
    });
  });

  describe.each(['redis', 'statsdb'] as const)('heard by %s', (source) => {
    const records = (user?: string) => {
      const exporter = heard.exporters.get(source);
      if (exporter === undefined) throw new Error(`No exporter ${source}`);
      return user === undefined ? exporter.records : recordsOf(exporter, user);
    };

    it.each(CASES)('$username relayed messages × length, each way', (one) => {
      const { clients = 2, messages, messageLength, username, hasNoChannel, isTcpRelay } = one;
      const packets = clients * messages;
      const bytes = packets * messageLength;
      const headers = hasNoChannel === true ? 0 : channelHeaderBytes(packets);
      const own = records(username);
      expect(recordSums(own)).toMatchObject({
        peer_sent_bytes: bytes + headers,
        peer_received_bytes: bytes,
        ...(isTcpRelay === true
          ? {}
          : { peer_sent_packets: packets, peer_received_packets: packets }),
      });
      for (const record of own) {
        expect(record).toMatchObject({
          transport: hasDifference('shortStatus') ? 'unknown' : one.transport,
          complete: true,
          missed_bytes: 0,
        });
      }
      expect(own.filter(({ relayed }) => relayed === true)).toHaveLength(1);
    });

    it('counts the sum of the records', () => {
      const metrics = after[source === 'redis' ? 0 : 1];
      expect(metrics && countersOf([metrics], { realm: REALM })).toEqual(recordSums(records()));
      expect(metrics?.sum('coturn_exporter_missed_bytes_total')).toBe(0);
      expect(metrics?.sum('coturn_exporter_events_rejected_total')).toBe(0);
    });
  });
});

function hasIpv6(): boolean {
  const all = Object.values(networkInterfaces()).flat();
  return all.some((each) => each?.address === '::1');
}
