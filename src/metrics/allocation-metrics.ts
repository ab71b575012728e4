import { END_REASONS, type Ledger } from '../domain/ledger.ts';
import { registerCounter, registerGauge } from './live-metric.ts';
import type { MetricsRegistry } from './registry.ts';
import { serverAccounts } from './traffic-metrics.ts';

/** Registers what is known of allocations: how many live, began, ended and were refreshed. */
export function registerAllocationMetrics(registry: MetricsRegistry, ledger: Ledger): void {
  registerGauge(registry, {
    name: 'coturn_allocations',
    help: 'Live allocations.',
    labels: ['realm', 'server', 'transport'],
    *read() {
      for (const { realm, server, live } of serverAccounts(ledger)) {
        for (const [transport, count] of live) yield [{ realm, server, transport }, count];
      }
    },
  });
  registerCounter(registry, {
    name: 'coturn_allocations_created_total',
    help: 'Allocations created, or adopted when their start was not seen.',
    labels: ['realm', 'server', 'transport', 'tls', 'ip_family'],
    *read() {
      for (const { realm, server, created } of serverAccounts(ledger)) {
        for (const { transport, tls, ipFamily, count } of created) {
          yield [{ realm, server, transport, tls, ip_family: ipFamily }, count];
        }
      }
    },
  });
  registerCounter(registry, {
    name: 'coturn_allocations_closed_total',
    help: 'Allocations ended, by how.',
    labels: ['realm', 'server', 'reason'],
    *read() {
      for (const { realm, server, closed } of serverAccounts(ledger)) {
        for (const reason of END_REASONS) yield [{ realm, server, reason }, closed[reason]];
      }
    },
  });
  registerCounter(registry, {
    name: 'coturn_allocation_refreshes_total',
    help: 'Refreshes of allocations, the last one with lifetime 0 included.',
    labels: ['realm', 'server'],
    *read() {
      for (const { realm, server, refreshes } of serverAccounts(ledger)) {
        yield [{ realm, server }, refreshes];
      }
    },
  });
}
