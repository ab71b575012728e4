import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { BuildInfo } from '../../build-info.ts';
import type { Config } from '../../config/config.ts';
import type { Ledger } from '../../domain/ledger.ts';
import type { Source } from '../../sources/source.ts';
import { renderDocument } from './document.ts';
import { LandingSampler } from './sampler.ts';
import { SCRIPT } from './script.ts';
import { STYLE } from './style.ts';
import { createLandingView, type LandingView } from './view.ts';

/** What {@link addLandingPage} shows. */
export interface LandingPageOptions {
  readonly build: BuildInfo;
  readonly config: Config;
  readonly sources: readonly Source[];
  readonly ledger: Ledger;
  readonly nowMs: () => number;
  /** URL of the exporter's documentation; without one the page has no link to it. */
  readonly docsUrl?: string;
}

/** What the script of the page reads; no other route may have this path. */
export const STATUS_PATH = '/status.json';

/**
 * Serves `/`: what runs, whether it receives, how much lives and is relayed; and
 * {@link STATUS_PATH}, by which the page stays up to date. Neither holds user data. Samples the
 * counters while the server is open.
 */
export function addLandingPage(server: FastifyInstance, options: LandingPageOptions): void {
  const { config, docsUrl, nowMs } = options;
  const sampler = new LandingSampler(options);
  const startedMs = nowMs();
  const links = {
    metrics: config.web.telemetryPath,
    ...(docsUrl === undefined ? {} : { docs: docsUrl }),
  };
  const pageHeaders = { ...COMMON_HEADERS, 'content-security-policy': createPolicy() };
  const view = (): LandingView => createLandingView({ ...options, sampler, startedMs });

  server.addHook('onReady', (done) => {
    sampler.start();
    done();
  });
  server.addHook('onClose', (_server, done) => {
    sampler.stop();
    done();
  });
  server.get('/', (_request, reply) =>
    reply.headers(pageHeaders).type('text/html; charset=utf-8').send(renderDocument(view(), links)),
  );
  server.get(STATUS_PATH, (_request, reply) => reply.headers(COMMON_HEADERS).send(view()));
}

const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/** Allows our style and our script, by their hashes, and what that script fetches. */
function createPolicy(): string {
  return [
    "default-src 'none'",
    `script-src '${hashOf(SCRIPT)}'`,
    `style-src '${hashOf(STYLE)}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
