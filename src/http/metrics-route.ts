import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Users } from '../domain/user.ts';
import {
  CONTENT_TYPES,
  type ExpositionFormat,
  OPENMETRICS_END,
  renderRegistry,
} from '../metrics/exposition.ts';
import type { MetricsRegistry } from '../metrics/registry.ts';
import { renderUserMetrics } from '../metrics/user-metrics.ts';

/** What {@link addMetricsRoute} shows. */
export interface MetricsRouteOptions {
  readonly path: string;
  readonly registry: MetricsRegistry;
  readonly users: Users;
  /** False with `--user.label none`. */
  readonly hasUserSeries: boolean;
  readonly wallOffsetMs: () => number;
}

/** Serves the metrics, as a stream: text 0.0.4, or OpenMetrics 1.0.0 for those who prefer it. */
export function addMetricsRoute(server: FastifyInstance, options: MetricsRouteOptions): void {
  server.get(options.path, (request, reply) => {
    const format = preferredFormat(request.headers.accept);
    return reply
      .header('content-type', CONTENT_TYPES[format])
      .header('vary', 'Accept')
      .send(Readable.from(renderMetrics(options, format), { objectMode: false }));
  });
}

async function* renderMetrics(
  options: MetricsRouteOptions,
  format: ExpositionFormat,
): AsyncGenerator<string> {
  yield await renderRegistry(options.registry, format);
  if (options.hasUserSeries) yield* renderUserMetrics(options.users, options.wallOffsetMs());
  if (format === 'openmetrics') yield OPENMETRICS_END;
}

/**
 * The format that an `Accept` header prefers; text where it leaves the choice to us.
 *
 *     application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5
 */
export function preferredFormat(accept: string | undefined): ExpositionFormat {
  let openmetrics = 0;
  let text = 0;
  for (const range of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const quality = qualityOf(parameters);
    if (type === 'application/openmetrics-text') openmetrics = Math.max(openmetrics, quality);
    if (type === 'text/plain' || type === 'text/*') text = Math.max(text, quality);
  }
  return openmetrics > 0 && openmetrics >= text ? 'openmetrics' : 'text';
}

function qualityOf(parameters: readonly string[]): number {
  const quality = parameters.find((parameter) => parameter.startsWith('q='));
  const value = quality === undefined ? 1 : Number(quality.slice(2));
  return value >= 0 && value <= 1 ? value : 0;
}
