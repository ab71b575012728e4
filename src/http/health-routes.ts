import type { Ledger } from '../domain/ledger.ts';
import type { Source } from '../sources/source.ts';
import { plain, type Route } from './route.ts';

/** What {@link healthRoutes} answer from. */
export interface HealthRoutesOptions {
  readonly sources: readonly Source[];
  readonly ledger: Ledger;
}

/**
 * The answers for those who run the process: `/livez` and `/healthz` (it lives), `/readyz` (every
 * source can receive, else 503) and `/drain` (the number of live allocations).
 */
export function healthRoutes({ sources, ledger }: HealthRoutesOptions): [string, Route][] {
  const live: Route = { kind: 'probe', answer: () => plain(200, 'ok') };
  const ready: Route = {
    kind: 'probe',
    answer() {
      const states = sources.map((source) => ({ name: source.stats.name, ...source.status() }));
      const lines = states.map(
        ({ name, ready, detail }) => `${ready ? 'ready' : 'not ready'}: ${name}: ${detail}`,
      );
      return plain(states.every((state) => state.ready) ? 200 : 503, lines.join('\n'));
    },
  };
  const drain: Route = { kind: 'page', answer: () => plain(200, String(ledger.countLive())) };
  return [
    ['/livez', live],
    ['/healthz', live],
    ['/readyz', ready],
    ['/drain', drain],
  ];
}
