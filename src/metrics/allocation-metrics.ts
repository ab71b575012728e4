import { END_REASONS, type Ledger } from '../domain/ledger.ts';
import { registerCounter, registerGauge } from './live-metric.ts';
import type { MetricsRegistry } from './registry.ts';
import { serverAccounts } from './traffic-metrics.ts';

/** Registers what is known of allocations: how many live, began, ended and were refreshed. */
export function registerAllocationMetrics(registry: MetricsRegistry, ledger: Ledger): void {
  registerGauge(registry, {
    name: 'coturn_allocations',
    help: 'Allocations that exist now.',
    labels: ['realm', 'server', 'transport'],
    *read() {
      for (const { realm, server, live } of serverAccounts(ledger)) {
        for (const [transport, count] of live) yield [{ realm, server, transport }, count];
      }
    },
  });
  registerCounter(registry, {
    name: 'coturn_allocations_created_total',
    help: 'Allocations that began, or were first noticed while they were already running.',
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
    help: 'Allocations that ended, by reason.',
    labels: ['realm', 'server', 'reason'],
    *read() {
      for (const { realm, server, closed } of serverAccounts(ledger)) {
        for (const reason of END_REASONS) yield [{ realm, server, reason }, closed[reason]];
      }
    },
  });
  registerCounter(registry, {
    name: 'coturn_allocation_refreshes_total',
    help: 'Refreshes of allocations, including the last one (lifetime 0) by which a client gives one up.',
    labels: ['realm', 'server'],
    *read() {
      for (const { realm, server, refreshes } of serverAccounts(ledger)) {
        yield [{ realm, server }, refreshes];
      }
    },
  });
}
