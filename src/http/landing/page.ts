import { createHash } from 'node:crypto';
import type { BuildInfo } from '../../build-info.ts';
import type { Ledger } from '../../domain/ledger.ts';
import type { Servers } from '../../domain/servers.ts';
import type { Source } from '../../sources/source.ts';
import type { Route } from '../route.ts';
import { renderDocument } from './document.ts';
import { SCRIPT } from './refresh.ts';
import { LandingSampler } from './sampler.ts';
import type { PublishTarget } from './setup.ts';
import { STYLE } from './style.ts';
import { createLandingView } from './view.ts';

/** What {@link createLandingPage} shows. */
export interface LandingPageOptions {
  readonly build: BuildInfo;
  /** From the root. */
  readonly metricsPath: string;
  /** Where a coturn can publish to; asked at every view, since a port 0 is known late. */
  readonly targets: () => readonly PublishTarget[];
  readonly sources: readonly Source[];
  readonly ledger: Ledger;
  readonly servers: Servers;
  readonly nowMs: () => number;
}

/** The page, and what keeps its history. */
export interface LandingPage extends Route {
  /** Samples the counters from now on. Safe to call twice. */
  start(): void;
  /** Samples no more. Safe to call twice. */
  stop(): void;
}

/**
 * Serves `/`: what runs, whether it receives, how much lives and is relayed, without user data. Its
 * script asks for it again to keep it up to date.
 */
export function createLandingPage(options: LandingPageOptions): LandingPage {
  const sampler = new LandingSampler(options);
  const startedMs = options.nowMs();
  const headers = {
    'cache-control': 'no-store',
    'content-security-policy': createPolicy(),
    'content-type': 'text/html; charset=utf-8',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  };
  const render = async (): Promise<Uint8Array[]> => {
    const view = await createLandingView({ ...options, sampler, startedMs });
    return [Buffer.from(renderDocument(view, options.metricsPath))];
  };
  let shown = { atMs: Number.NEGATIVE_INFINITY, body: Promise.resolve<Uint8Array[]>([]) };
  return {
    kind: 'page',
    async answer() {
      const atMs = options.nowMs();
      if (atMs - shown.atMs >= KEPT_MS) shown = { atMs, body: render() };
      return { status: 200, headers, body: await shown.body };
    },
    start: () => sampler.start(),
    stop: () => sampler.stop(),
  };
}

/** How long a page is given to everybody who asks, in ms: it costs some to make. */
const KEPT_MS = 500;

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
