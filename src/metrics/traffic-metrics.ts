import type { Ledger, ServerAccount } from '../domain/ledger.ts';
import type { Traffic } from '../domain/traffic.ts';
import { registerCounter } from './live-metric.ts';
import type { MetricsRegistry } from './registry.ts';

type Side = 'client' | 'peer' | 'unallocated';

const MEANING: Record<Side, (verb: string) => string> = {
  client: (verb) => `${verb} by coturn on the client side: between clients and coturn.`,
  peer: (verb) => `${verb} by coturn on the peer side: between coturn and peers.`,
  unallocated: (verb) =>
    `${verb} by coturn for clients that never had an allocation (STUN requests, failed logins).`,
};

const FIELDS: readonly [suffix: string, verb: string, field: keyof Traffic][] = [
  ['received_bytes_total', 'Bytes received', 'receivedBytes'],
  ['sent_bytes_total', 'Bytes sent', 'sentBytes'],
  ['received_packets_total', 'Packets received', 'receivedPackets'],
  ['sent_packets_total', 'Packets sent', 'sentPackets'],
];

/** Registers the counters of bytes and packets by realm and server. */
export function registerTrafficMetrics(registry: MetricsRegistry, ledger: Ledger): void {
  for (const side of ['client', 'peer', 'unallocated'] as const) {
    for (const [suffix, verb, field] of FIELDS) {
      registerCounter(registry, {
        name: `coturn_${side}_${suffix}`,
        help: MEANING[side](verb),
        labels: ['realm', 'server'],
        *read() {
          for (const account of serverAccounts(ledger)) {
            yield [{ realm: account.realm, server: account.server }, account[side][field]];
          }
        },
      });
    }
  }
}

/** The accounts of all realms on all servers. */
export function* serverAccounts(ledger: Ledger): IterableIterator<ServerAccount> {
  for (const realm of ledger.realms()) yield* realm.servers.values();
}
