import type { Source } from '../sources/source.ts';
import { plain, type Route } from './route.ts';

/** What {@link healthRoutes} answer from. */
export interface HealthRoutesOptions {
  readonly sources: readonly Source[];
}

/**
 * The answers for those who run the process: `/livez` and `/healthz` (it lives), and `/readyz` (every
 * source can receive, else 503).
 */
export function healthRoutes({ sources }: HealthRoutesOptions): [string, Route][] {
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
  return [
    ['/livez', live],
    ['/healthz', live],
    ['/readyz', ready],
  ];
}
