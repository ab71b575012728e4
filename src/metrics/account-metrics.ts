import { END_REASONS, type Ledger, type ServerAccount } from '../domain/ledger.ts';
import { CLIENT, PEER, UNALLOCATED } from '../domain/traffic.ts';
import { labelPairs, registerOwn } from './live-metric.ts';
import type { MetricsRegistry } from './registry.ts';

/** What is counted, and where its numbers begin in the sums of an account. */
const SIDES: readonly [side: string, from: number, help: (verb: string) => string][] = [
  ['client', CLIENT, (verb) => `${verb} by coturn on the client side: between clients and coturn.`],
  ['peer', PEER, (verb) => `${verb} by coturn on the peer side: between coturn and peers.`],
  [
    'unallocated',
    UNALLOCATED,
    (verb) =>
      `${verb} by coturn for clients that never had an allocation (STUN requests, failed logins).`,
  ],
];

/** Each with its place in the order of `Traffic`. */
const FIELDS: readonly [suffix: string, verb: string, field: number][] = [
  ['received_bytes_total', 'Bytes received', 1],
  ['sent_bytes_total', 'Bytes sent', 3],
  ['received_packets_total', 'Packets received', 0],
  ['sent_packets_total', 'Packets sent', 2],
];

/** One family of counters. */
interface AccountMetric {
  readonly name: string;
  readonly help: string;
  /** What follows realm and server. */
  readonly labels?: readonly string[];
  /** @param pair realm and server, the first labels of each line; words of ours need no escape */
  readonly linesOf: (account: ServerAccount, pair: string) => string;
}

/** How many accounts are written in one turn of the event loop. */
const SLICE = 500;

/** Registers what is known by realm and server: traffic, and how many allocations there were. */
export function registerAccountMetrics(registry: MetricsRegistry, ledger: Ledger): void {
  // Ten thousand pairs have two dozen families each, which share this text. By number of account.
  const pairs: string[] = [];
  const pairOf = ({ number, realm, server }: ServerAccount): string => {
    pairs[number] ??= labelPairs({ realm, server });
    return pairs[number];
  };
  const registerCounters = (metrics: readonly AccountMetric[]): void => {
    for (const { labels = [], linesOf, ...metric } of metrics) {
      registerOwn(registry, {
        ...metric,
        type: 'counter',
        labels: ['realm', 'server', ...labels],
        slices: () => inSlices(accountsOf(ledger), (account) => linesOf(account, pairOf(account))),
      });
    }
  };
  registerCounters(trafficMetrics());
  registerOwn(registry, {
    name: 'coturn_allocations',
    help: 'Allocations that exist now.',
    type: 'gauge',
    labels: ['realm', 'server', 'transport'],
    slices() {
      const live = ledger.copyLive();
      return inSlices(accountsOf(ledger), (account) => {
        let lines = '';
        for (const [transport, count] of live.of(account.number)) {
          lines += `coturn_allocations{${pairOf(account)},transport="${transport}"} ${count}\n`;
        }
        return lines;
      });
    },
  });
  registerCounters(allocationMetrics());
}

function* inSlices(
  accounts: Iterable<ServerAccount>,
  linesOf: (account: ServerAccount) => string,
): Generator<string> {
  let text = '';
  let count = 0;
  for (const account of accounts) {
    text += linesOf(account);
    count += 1;
    if (count % SLICE !== 0) continue;
    yield text;
    text = '';
  }
  yield text;
}

function* accountsOf(ledger: Ledger): Generator<ServerAccount> {
  for (const realm of ledger.realms()) yield* realm.servers.values();
}

function trafficMetrics(): AccountMetric[] {
  return SIDES.flatMap(([side, from, help]) =>
    FIELDS.map(([suffix, verb, field]) => {
      const name = `coturn_${side}_${suffix}`;
      return {
        name,
        help: help(verb),
        // Not by way of an object of the four: there are a hundred thousand of these lines.
        linesOf: ({ sums }, pair) => `${name}{${pair}} ${sums[from + field] ?? 0}\n`,
      };
    }),
  );
}

function allocationMetrics(): AccountMetric[] {
  return [
    {
      name: 'coturn_allocations_created_total',
      help: 'Allocations that began, or were first noticed while they were already running.',
      labels: ['transport', 'tls', 'ip_family'],
      linesOf({ created }, pair) {
        let lines = '';
        for (const { transport, tls, ipFamily, count } of created) {
          const kind = `transport="${transport}",tls="${tls}",ip_family="${ipFamily}"`;
          lines += `coturn_allocations_created_total{${pair},${kind}} ${count}\n`;
        }
        return lines;
      },
    },
    {
      name: 'coturn_allocations_closed_total',
      help: 'Allocations that ended, by reason.',
      labels: ['reason'],
      linesOf({ closed }, pair) {
        let lines = '';
        for (const reason of END_REASONS) {
          lines += `coturn_allocations_closed_total{${pair},reason="${reason}"} ${closed[reason]}\n`;
        }
        return lines;
      },
    },
    {
      name: 'coturn_allocation_refreshes_total',
      help: 'Refreshes of allocations, including the last one (lifetime 0) by which a client gives one up.',
      linesOf: ({ refreshes }, pair) => `coturn_allocation_refreshes_total{${pair}} ${refreshes}\n`,
    },
  ];
}
