import inject, { type DispatchFunc, type InjectOptions, type Response } from 'light-my-request';
import { pino } from 'pino';
import { parseCommandLine } from '../../../src/config/command-line.ts';
import type { Config } from '../../../src/config/config.ts';
import { createDrainRoute } from '../../../src/http/drain-route.ts';
import { createHandler } from '../../../src/http/handler.ts';
import { healthRoutes } from '../../../src/http/health-routes.ts';
import { createLandingPage } from '../../../src/http/landing/page.ts';
import { createMetricsRoute } from '../../../src/http/metrics-route.ts';
import type { Route } from '../../../src/http/route.ts';
import type { WebLock } from '../../../src/http/web-lock.ts';
import type { MetricsRegistry } from '../../../src/metrics/registry.ts';
import type { Source } from '../../../src/sources/source.ts';
import { BUILD, Scraped, type ScrapedOptions, WALL_OFFSET_MS } from '../metrics/scrape.ts';

export interface TestServerOptions extends ScrapedOptions {
  readonly arguments?: readonly string[];
  /** In addition to the scraped one. */
  readonly sources?: readonly Source[];
  readonly registry?: MetricsRegistry;
  readonly lock?: WebLock;
  /** In addition to those of the exporter. */
  readonly routes?: readonly (readonly [path: string, route: Route])[];
  readonly maxRequests?: number;
}

export interface TestServer {
  readonly server: { inject(request: InjectOptions | string): Promise<Response> };
  /** What the metrics are read from. */
  readonly scraped: Scraped;
  /** Lines of its log. */
  readonly log: string[];
}

/** An HTTP server that is asked by injection. */
export async function createTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const scraped = new Scraped(options);
  const config = configOf(options.arguments ?? []);
  const log: string[] = [];
  const sources = [scraped.source, ...(options.sources ?? [])];
  const { servers } = scraped;
  const { ledger, users } = scraped.tracker;
  const nowMs = (): number => scraped.nowMs;
  const { maxRequests = config.web.maxRequests } = options;
  const metricsPath = config.web.telemetryPath;
  const routes: (readonly [string, Route])[] = [
    [
      metricsPath,
      createMetricsRoute({
        registry: options.registry ?? scraped.registry,
        users,
        hasUserSeries: config.users.label !== 'none',
        nowMs: () => scraped.nowMs,
        wallOffsetMs: () => WALL_OFFSET_MS,
      }),
    ],
    [
      '/',
      createLandingPage({
        build: BUILD,
        metricsPath,
        targets: () => [],
        ...{ sources, ledger, servers },
        nowMs,
      }),
    ],
    ...healthRoutes({ sources }),
    ['/drain', createDrainRoute({ maxRequests, ledger, servers, nowMs })],
    ...(options.routes ?? []),
  ];
  const handler = createHandler({
    ...config.web,
    maxRequests,
    routes: new Map(routes),
    lock: options.lock,
    stats: scraped.web,
    log: pino({ level: 'trace' }, { write: (line: string) => void log.push(line) }),
  });
  // The real ones are enough alike, though the typings of the injection say otherwise.
  const dispatch = handler as unknown as DispatchFunc;
  return { server: { inject: (request) => inject(dispatch, request) }, scraped, log };
}

function configOf(argv: readonly string[]): Config {
  const command = parseCommandLine(argv, {});
  if (command.kind !== 'run') throw new Error(`Not a configuration: ${argv.join(' ')}`);
  return command.config;
}
