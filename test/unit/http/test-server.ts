import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { parseCommandLine } from '../../../src/config/command-line.ts';
import type { Config } from '../../../src/config/config.ts';
import { createServer } from '../../../src/http/server.ts';
import type { MetricsRegistry } from '../../../src/metrics/registry.ts';
import type { Source } from '../../../src/sources/source.ts';
import { BUILD, Scraped, type ScrapedOptions, WALL_OFFSET_MS } from '../metrics/scrape.ts';

export interface TestServerOptions extends ScrapedOptions {
  readonly arguments?: readonly string[];
  /** In addition to the scraped one. */
  readonly sources?: readonly Source[];
  readonly registry?: MetricsRegistry;
}

export interface TestServer {
  readonly server: FastifyInstance;
  /** What the metrics are read from. */
  readonly scraped: Scraped;
  /** Lines of its log. */
  readonly log: string[];
}

/** An HTTP server that is asked by injection, closed at the end of the test. */
export async function createTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const scraped = new Scraped(options);
  const config = configOf(options.arguments ?? []);
  const log: string[] = [];
  const sources = [scraped.source, ...(options.sources ?? [])];
  const { ledger, users } = scraped.tracker;
  const server = await createServer({
    metrics: {
      path: config.web.telemetryPath,
      registry: options.registry ?? scraped.registry,
      users,
      hasUserSeries: config.users.label !== 'none',
      wallOffsetMs: () => WALL_OFFSET_MS,
    },
    health: { sources, ledger },
    landingPage: {
      build: BUILD,
      metricsPath: config.web.telemetryPath,
      targets: () => [],
      sources,
      ledger,
      nowMs: () => scraped.nowMs,
    },
    log: pino({ level: 'trace' }, { write: (line: string) => void log.push(line) }),
  });
  onTestFinished(() => server.close());
  return { server, scraped, log };
}

function configOf(argv: readonly string[]): Config {
  const command = parseCommandLine(argv, {});
  if (command.kind !== 'run') throw new Error(`Not a configuration: ${argv.join(' ')}`);
  return command.config;
}
