import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { BuildInfo } from '../../build-info.ts';
import type { Ledger } from '../../domain/ledger.ts';
import type { Source } from '../../sources/source.ts';
import { renderDocument } from './document.ts';
import { SCRIPT } from './refresh.ts';
import { LandingSampler } from './sampler.ts';
import type { PublishTarget } from './setup.ts';
import { STYLE } from './style.ts';
import { createLandingView } from './view.ts';

/** What {@link addLandingPage} shows. */
export interface LandingPageOptions {
  readonly build: BuildInfo;
  /** From the root. */
  readonly metricsPath: string;
  /** Where a coturn can publish to; asked at every view, since a port 0 is known late. */
  readonly targets: () => readonly PublishTarget[];
  readonly sources: readonly Source[];
  readonly ledger: Ledger;
  readonly nowMs: () => number;
}

/**
 * Serves `/`: what runs, whether it receives, how much lives and is relayed, without user data. Its
 * script asks for it again to keep it up to date. Samples the counters while the server is open.
 */
export function addLandingPage(server: FastifyInstance, options: LandingPageOptions): void {
  const sampler = new LandingSampler(options);
  const startedMs = options.nowMs();
  const headers = {
    'cache-control': 'no-store',
    'content-security-policy': createPolicy(),
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  };
  server.addHook('onReady', (done) => {
    sampler.start();
    done();
  });
  server.addHook('onClose', (_server, done) => {
    sampler.stop();
    done();
  });
  server.get('/', (_request, reply) => {
    const view = createLandingView({ ...options, sampler, startedMs });
    const page = renderDocument(view, options.metricsPath);
    return reply.headers(headers).type('text/html; charset=utf-8').send(page);
  });
}

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
