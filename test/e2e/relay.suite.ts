import { describe, expect, it } from 'vitest';
import type { Defer } from '../support/cleanup.ts';
import { channelHeaderBytes } from '../support/coturn-version.ts';
import type { ExporterProcess } from '../support/exporter-process.ts';
import type { Exposition } from '../support/exposition.ts';
import { runPromtool } from '../support/promtool.ts';
import { countersOf, recordSums } from '../support/scripted-coturn.ts';
import { runTurnClient, type TurnClientReport } from '../support/turn-client.ts';
import {
  startTurnServer,
  type TurnServer,
  type TurnServerOptions,
} from '../support/turn-server.ts';

/** The calls of one user on one server. */
export interface RelayCall {
  /** The address of its server. */
  readonly server: string;
  readonly username: string;
  readonly transport: 'udp' | 'tcp';
  readonly clients: number;
  readonly messages: number;
  readonly messageLength: number;
}

/** A turnserver of the scene; {@link RelayCall} tells which of its users call. */
export interface RelayServer {
  readonly address: string;
  readonly realm: string;
  readonly statsdb: TurnServerOptions['statsdb'];
}

/** What calls through real turnservers left with the exporter. */
export interface RelayScene {
  readonly exporter: ExporterProcess;
  readonly servers: readonly TurnServer[];
  readonly reports: readonly TurnClientReport[];
  /** Scraped while all users were on the relay, and when all were gone. */
  readonly during: Exposition;
  readonly after: Exposition;
}

/** In ms, for a scene to be set up. */
export const SET_UP_MS = 90_000;
const PASSWORD = 'correct-horse';
/**
 * Above the length of a uclient run, which refreshes every 30 s only: the allocation that it makes
 * to try whether it can, and leaves, ends by this.
 */
const LIFETIME_SECONDS = 15;
const TROUBLES = [
  'coturn_exporter_events_rejected_total',
  'coturn_exporter_missed_bytes_total',
  'coturn_exporter_allocation_collisions_total',
  'coturn_exporter_source_disconnects_total',
  'coturn_exporter_statsdb_connections_refused_total',
  'coturn_exporter_statsdb_dropped_replies_total',
] as const;

/** Runs all calls at once through servers that publish to this exporter, and waits for their end. */
export async function relayCalls(
  defer: Defer,
  options: {
    readonly exporter: ExporterProcess;
    readonly servers: readonly RelayServer[];
    readonly calls: readonly RelayCall[];
  },
): Promise<RelayScene> {
  const { exporter, calls } = options;
  const users = Object.fromEntries(calls.map(({ username }) => [username, PASSWORD]));
  const servers = await Promise.all(
    options.servers.map((server) =>
      startTurnServer(defer, { ...server, users, maxAllocateLifetime: LIFETIME_SECONDS }),
    ),
  );
  const running = Promise.all(
    calls.map((call) => {
      const server = serverOf(servers, call.server);
      return runTurnClient(defer, { ...call, server, password: PASSWORD });
    }),
  );
  const keys = new Set(calls.map((call) => sessionKey(serverOf(servers, call.server), call)));
  const during = await exporter.untilMetrics(
    // A scrape is written in pieces, between which sessions may begin.
    (metrics) =>
      metrics.sum('coturn_user_sessions') === keys.size &&
      metrics.value('coturn_exporter_users') === keys.size,
    { what: 'all sessions to be live' },
  );
  const reports = await running;
  const after = await exporter.untilMetrics(
    // A user's series stay until the record is written.
    (metrics) =>
      metrics.sum('coturn_sessions_finished_total') >= keys.size &&
      metrics.value('coturn_exporter_users') === 0,
    { what: 'all sessions to finish', timeoutMs: (LIFETIME_SECONDS + 20) * 1_000 },
  );
  await exporter.untilRecords(after.sum('coturn_sessions_finished_total'));
  return { exporter, servers, reports, during, after };
}

/** What holds of every such scene, wherever the events came through. */
export function describeExactRelay(scene: () => RelayScene, calls: readonly RelayCall[]): void {
  const addresses = [...new Set(calls.map(({ server }) => server))];

  describe('relayed calls', () => {
    it('have clients that lost nothing to measure against', () => {
      for (const [index, { clients, messages, messageLength }] of calls.entries()) {
        expect(scene().reports[index]).toMatchObject({
          exitCode: 0,
          sentMessages: clients * messages,
          receivedMessages: clients * messages,
          sentBytes: clients * messages * messageLength,
          receivedBytes: clients * messages * messageLength,
        });
      }
    });

    it.each(addresses)('are counted on the peer side of %s as their clients tell', (address) => {
      const { after, servers } = scene();
      const relayed = relayedBy(calls.filter(({ server }) => server === address));
      const labels = { realm: serverOf(servers, address).realm, server: address };
      expect(peerCountersOf(after, labels)).toEqual(relayed);
    });

    it('are counted on both sides of each realm as the sum of its records', () => {
      const { after, servers, exporter } = scene();
      for (const realm of new Set(servers.map((server) => server.realm))) {
        const sums = recordSums(exporter.records.filter((record) => record.realm === realm));
        expect(countersOf([after], { realm })).toEqual(sums);
        expect(Math.min(...Object.values(sums))).toBeGreaterThan(0);
      }
    });

    it('have all that is counted put under one of the servers', () => {
      const { after } = scene();
      const counted = after
        .select('coturn_client_received_bytes_total')
        .filter(({ value }) => value > 0);
      expect(counted.map(({ labels }) => labels['server']).toSorted()).toEqual(addresses);
    });

    it('leave one record of each user and realm, with all that was relayed', () => {
      const { exporter, servers } = scene();
      const keyOf = (call: RelayCall) => sessionKey(serverOf(servers, call.server), call);
      for (const first of calls) {
        const group = calls.filter((call) => keyOf(call) === keyOf(first));
        const { username, transport, server } = first;
        const { realm } = serverOf(servers, server);
        // A first allocation of uclient over TCP may end just before the call begins: an idle session.
        const records = exporter.records.filter(
          (record) =>
            record.realm === realm && record.username === username && record.relayed === true,
        );
        expect(records).toEqual([
          expect.objectContaining({
            event: 'session_finished',
            schema: 1,
            session_id: expect.stringMatching(/./),
            user: username,
            server: group.map((call) => call.server).join(','),
            transport,
            tls: 'none',
            client: '127.0.0.1',
            reason: 'deleted',
            complete: true,
            start_known: true,
            missed_bytes: 0,
            ...relayedBy(group),
          }),
        ]);
      }
    });

    it('leave records whose duration is the time between start and end', () => {
      for (const record of scene().exporter.records) {
        const seconds = (Date.parse(String(record.end)) - Date.parse(String(record.start))) / 1_000;
        expect(record.duration_seconds).toBeCloseTo(seconds, 2);
        expect(seconds).toBeGreaterThan(0);
        expect(seconds).toBeLessThan(LIFETIME_SECONDS + 30);
      }
    });

    it('leave as many records as sessions that finished, each with an id of its own', () => {
      const { exporter, after } = scene();
      const { length } = exporter.records;
      expect(new Set(exporter.records.map((record) => record.session_id)).size).toBe(length);
      expect(after.sum('coturn_sessions_finished_total')).toBe(length);
      expect(after.value('coturn_exporter_records_total', { result: 'written' })).toBe(length);
      expect(after.sum('coturn_session_duration_seconds_count')).toBe(length);
      expect(after.sum('coturn_session_relayed_bytes_sum')).toBe(
        after.sum('coturn_client_received_bytes_total') +
          after.sum('coturn_client_sent_bytes_total'),
      );
    });

    it.each(addresses)('have each allocation on %s closed as deleted', (server) => {
      const { after } = scene();
      const wanted = calls.filter((call) => call.server === server);
      const created = after.sum('coturn_allocations_created_total', { server });
      // uclient makes one more for each pair of clients, before the call.
      expect(created).toBe(wanted.reduce((sum, { clients }) => sum + clients * 1.5, 0));
      for (const labels of [{ server }, { server, reason: 'deleted' }]) {
        expect(after.sum('coturn_allocations_closed_total', labels)).toBe(created);
      }
    });

    it('leave nobody and nothing live', () => {
      const { after } = scene();
      expect(after.select('coturn_allocations').length).toBeGreaterThan(0);
      for (const name of ['coturn_allocations', 'coturn_sessions', 'coturn_exporter_users']) {
        expect(after.sum(name), name).toBe(0);
      }
      expect(after.samples.filter(({ name }) => name.startsWith('coturn_user_'))).toEqual([]);
    });

    it('are reported by coturn in a way with which nothing is wrong', () => {
      const { after } = scene();
      for (const trouble of TROUBLES) expect(after.sum(trouble), trouble).toBe(0);
      expect(after.sum('coturn_up')).toBe(1);
    });

    it('have scrapes that pass promtool, with live sessions and without', () => {
      const { during, after } = scene();
      for (const { text } of [during, after]) {
        expect(runPromtool(['check', 'metrics'], text)).toEqual({ exitCode: 0, output: '' });
      }
    });
  });
}

/** What crosses the relay in these calls, as records tell it: each message once in and out. */
export function relayedBy(calls: readonly RelayCall[]) {
  let packets = 0;
  let bytes = 0;
  for (const { clients, messages, messageLength } of calls) {
    packets += clients * messages;
    bytes += clients * messages * messageLength;
  }
  return {
    peer_received_packets: packets,
    peer_received_bytes: bytes,
    peer_sent_packets: packets,
    peer_sent_bytes: bytes + channelHeaderBytes(packets),
  };
}

function peerCountersOf(metrics: Exposition, labels: Readonly<Record<string, string>>) {
  const names = ['received_packets', 'received_bytes', 'sent_packets', 'sent_bytes'];
  return Object.fromEntries(
    names.map((name) => [`peer_${name}`, metrics.value(`coturn_peer_${name}_total`, labels)]),
  );
}

function serverOf(servers: readonly TurnServer[], address: string): TurnServer {
  const server = servers.find((one) => one.address === address);
  if (server === undefined) throw new Error(`No server at ${address}`);
  return server;
}

/** Calls of the same are one session. */
function sessionKey({ realm }: TurnServer, { username }: RelayCall): string {
  return JSON.stringify([realm, username]);
}
