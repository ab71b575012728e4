import type { FastifyInstance } from 'fastify';
import type { Ledger } from '../domain/ledger.ts';
import type { Source } from '../sources/source.ts';

/** What {@link addHealthRoutes} answers from. */
export interface HealthRoutesOptions {
  readonly sources: readonly Source[];
  readonly ledger: Ledger;
}

const PLAIN = 'text/plain; charset=utf-8';

/**
 * Serves the answers for those who run the process: `/livez` and `/healthz` (it lives), `/readyz`
 * (every source can receive, else 503) and `/drain` (the number of live allocations).
 */
export function addHealthRoutes(server: FastifyInstance, options: HealthRoutesOptions): void {
  const { sources, ledger } = options;
  for (const path of ['/livez', '/healthz']) {
    server.get(path, (_request, reply) => reply.type(PLAIN).send('ok\n'));
  }
  server.get('/readyz', (_request, reply) => {
    const states = sources.map((source) => ({ name: source.stats.name, ...source.status() }));
    const isReady = states.every(({ ready }) => ready);
    const lines = states.map(
      ({ name, ready, detail }) => `${ready ? 'ready' : 'not ready'}: ${name}: ${detail}\n`,
    );
    return reply
      .code(isReady ? 200 : 503)
      .type(PLAIN)
      .send(lines.join(''));
  });
  server.get('/drain', (_request, reply) => reply.type(PLAIN).send(`${ledger.countLive()}\n`));
}
