import type { FastifyInstance } from 'fastify';
import type { BuildInfo } from '../build-info.ts';
import type { Config } from '../config/config.ts';
import type { Ledger } from '../domain/ledger.ts';
import type { Source } from '../sources/source.ts';

/** What {@link addLandingPage} shows. */
export interface LandingPageOptions {
  readonly build: BuildInfo;
  readonly config: Config;
  readonly sources: readonly Source[];
  readonly ledger: Ledger;
  readonly nowMs: () => number;
}

/** Serves `/`: what runs, whether it receives, how much lives. Holds no user data. */
export function addLandingPage(server: FastifyInstance, options: LandingPageOptions): void {
  server.get('/', (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(renderPage(options)),
  );
}

function renderPage(options: LandingPageOptions): string {
  const { build, config, ledger } = options;
  let sessions = 0;
  for (const realm of ledger.realms()) sessions += realm.liveSessions;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>coturn-exporter</title></head>
<body>
<h1>coturn-exporter ${escapeHtml(build.version)}</h1>
<p>${sessions} live sessions, ${ledger.countLive()} live allocations.</p>
<table>
<tr><th>source</th><th>state</th><th>events</th><th>last event</th></tr>
${options.sources.map((source) => renderSource(source, options.nowMs())).join('\n')}
</table>
<ul>
<li><a href="${escapeHtml(config.web.telemetryPath)}">metrics</a></li>
<li><a href="/readyz">readiness</a></li>
</ul>
</body>
</html>
`;
}

function renderSource(source: Source, nowMs: number): string {
  const { stats } = source;
  const events = Object.values(stats.events).reduce((sum, count) => sum + count, 0);
  const age =
    stats.lastEventMs === 0 ? 'never' : `${Math.round((nowMs - stats.lastEventMs) / 1000)} s ago`;
  return `<tr><td>${escapeHtml(stats.name)}</td><td>${escapeHtml(source.status().detail)}</td><td>${events}</td><td>${age}</td></tr>`;
}

/** Text made harmless in HTML: names of realms and servers come from outside. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
