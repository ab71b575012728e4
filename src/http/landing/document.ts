import { type Figure, GRAPH_HEIGHT, GRAPH_WIDTH, type Graph, type SideFigure } from './graphs.ts';
import { html, Markup } from './html.ts';
import { SCRIPT } from './refresh.ts';
import { UNKNOWN_HOST } from './setup.ts';
import { STYLE } from './style.ts';
import {
  type LandingView,
  MAX_SHOWN_REALMS,
  MAX_SHOWN_SERVERS,
  type RealmLine,
  type ServerLine,
  type SourceLine,
} from './view.ts';

const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%232257c9'/%3E%3Cpath d='M3 6h8M8 3l3 3-3 3M13 10H5m3-3-3 3 3 3' transform='translate(0 0)' fill='none' stroke='%23fff' stroke-width='1.4'/%3E%3C/svg%3E";
const COTURN_DOCS = 'https://github.com/coturn/coturn/wiki/turnserver';

/** Seconds after which a browser without JavaScript loads the page anew. */
const RELOAD_S = 10;

/**
 * The whole page. Its links are relative, so that it works behind a proxy that adds a prefix.
 *
 * @param metricsPath of the metrics, from the root
 */
export function renderDocument(view: LandingView, metricsPath: string): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="${String(RELOAD_S)}"></noscript>
<title>coturn-exporter</title>
<link rel="icon" href="${ICON}">
<style>${new Markup(STYLE)}</style>
</head>
<body>
${renderHeader(view, metricsPath)}
<main>
<p id="away" role="status"></p>
${view.setup.length > 0 ? renderSetup(view.setup) : ''}
${renderCards(view)}
${renderRealms(view.realms)}
${renderServers(view)}
<div class="pair">
<div>
${renderSources(view.sources)}
${renderNotes()}
</div>
${renderTransports(view)}
</div>
</main>
<script>${new Markup(SCRIPT)}</script>
</body>
</html>
`.text;
}

function renderHeader(view: LandingView, metricsPath: string): Markup {
  return html`<header>
<div>
<h1>coturn-exporter</h1>
<p class="quiet">version ${view.version}, revision ${view.revision}, up for ${view.uptime}<span id="updated"></span></p>
</div>
<nav aria-label="Links">
<a href=".${metricsPath}">Metrics</a>
<a href="./readyz">Readiness</a>
<a href="${COTURN_DOCS}" rel="noreferrer">coturn manual</a>
</nav>
</header>`;
}

function renderSetup(lines: readonly string[]): Markup {
  const isAddressOpen = lines.some((line) => line.includes(`ip=${UNKNOWN_HOST} `));
  const where = html`; <code>${UNKNOWN_HOST}</code> is where coturn finds this machine, or its Redis`;
  return html`<section class="setup">
<h2>No coturn has been heard yet</h2>
<p>Add ${lines.length > 1 ? 'one of these lines' : 'this line'} to <code>turnserver.conf</code> and restart coturn${isAddressOpen ? where : ''}. What it reports appears here by itself.</p>
<div>${lines.map((line) => html`<pre><code>${line}</code></pre>`)}</div>
</section>`;
}

function renderCards(view: LandingView): Markup {
  const card = (title: string, { text, graph }: Figure, colour: string): Markup =>
    html`<div class="card"><h2>${title}</h2><b>${text}</b>${renderGraph(graph, colour)}</div>`;
  return html`<section class="cards" aria-label="Now">
${card('Live sessions', view.sessions, 'plain')}
${card('Live allocations', view.allocations, 'plain')}
${card('Client side', view.client, 'client')}
${card('Peer side', view.peer, 'peer')}
</section>`;
}

function renderGraph({ line, area, label }: Graph, colour: string): Markup {
  const viewBox = `0 0 ${GRAPH_WIDTH} ${GRAPH_HEIGHT}`;
  return html`<svg class="spark ${colour}" viewBox="${viewBox}" preserveAspectRatio="none" role="img" aria-label="${label}"><path class="area" d="${area}"/><path class="line" d="${line}"/></svg>`;
}

/** Its roles are explicit: a narrow screen lays it out as a grid, which would lose them. */
function renderRealms(realms: readonly RealmLine[]): Markup {
  const heads = [
    ['', 'Realm'],
    ['number', 'Sessions'],
    ['number wide', 'Allocations'],
    ['side client', 'Client side'],
    ['side peer', 'Peer side'],
  ].map(
    ([style = '', text = '']) =>
      html`<th role="columnheader" scope="col" class="${style}">${text}</th>`,
  );
  const table = html`<table role="table" aria-labelledby="realms" class="realms">
<thead role="rowgroup"><tr role="row">${heads}</tr></thead>
<tbody role="rowgroup">${realms.map(renderRealm)}</tbody>
</table>`;
  return html`<section class="card">
<h2 id="realms">Relay bandwidth by realm</h2>
<p class="quiet">Averages of a minute over the last five minutes. coturn reports an allocation every 4096 packets, so shorter windows would only show bursts. The busiest ${String(MAX_SHOWN_REALMS)} realms, each line to its own scale.</p>
${realms.length > 0 ? table : html`<p class="quiet">No realm has been seen yet.</p>`}
</section>`;
}

function renderRealm(line: RealmLine): Markup {
  const { realm, isName, sessions, allocations, client, peer } = line;
  return html`<tr role="row"><th role="rowheader" scope="row" class="name" data-name="${String(isName)}"><bdi>${realm}</bdi></th><td role="cell" class="number">${sessions}</td><td role="cell" class="number wide">${allocations}</td>${renderSide('Client side', client, 'client')}${renderSide('Peer side', peer, 'peer')}</tr>`;
}

/** Laid out as the realms are, on a narrow screen too. */
function renderServers({ servers, serverCount }: LandingView): Markup {
  const heads = [
    ['', 'Server'],
    ['number', 'Sessions'],
    ['number wide', 'Last heard'],
    ['side client', 'Client side'],
    ['side peer', 'Peer side'],
  ].map(
    ([style = '', text = '']) =>
      html`<th role="columnheader" scope="col" class="${style}">${text}</th>`,
  );
  const table = html`<table role="table" aria-labelledby="servers" class="realms">
<thead role="rowgroup"><tr role="row">${heads}</tr></thead>
<tbody role="rowgroup">${servers.map(renderServer)}</tbody>
</table>`;
  return html`<section class="card">
<h2 id="servers">Servers</h2>
<p class="quiet">${serverCount}. Those that are down first, then the busiest, ${String(MAX_SHOWN_SERVERS)} at most. A session counts where it began.</p>
${servers.length > 0 ? table : html`<p class="quiet">No coturn has been heard yet.</p>`}
</section>`;
}

function renderServer({ server, state, detail, sessions, age, client, peer }: ServerLine): Markup {
  return html`<tr role="row"><th role="rowheader" scope="row" class="name" data-name="true"><bdi>${server}</bdi><small><span class="state" data-state="${state}">${state}</span> ${detail}</small></th><td role="cell" class="number">${sessions}</td><td role="cell" class="number wide">${age}</td>${renderSide('Client side', client, 'client')}${renderSide('Peer side', peer, 'peer')}</tr>`;
}

function renderSide(title: string, { text, detail, graph }: SideFigure, colour: string): Markup {
  return html`<td role="cell" data-side="${title}"><div class="side">${renderGraph(graph, colour)}<span><b>${text}</b><small>${detail}</small></span></div></td>`;
}

function renderSources(sources: readonly SourceLine[]): Markup {
  return html`<section class="card">
<h2 id="sources">Sources</h2>
<table aria-labelledby="sources">
<thead><tr><th scope="col">Source</th><th scope="col">State</th><th scope="col" class="number">Events/s</th><th scope="col" class="number">Last event</th></tr></thead>
<tbody>${sources.map(renderSource)}</tbody>
</table>
</section>`;
}

const STATES = { up: 'up, ready', waiting: 'ready, no coturn', down: 'not ready' } as const;

function renderSource({ name, kind, state, detail, rate, age }: SourceLine): Markup {
  return html`<tr><th scope="row" class="name" data-name="true"><bdi>${name}</bdi><small>${kind}</small></th><td><span class="state" data-state="${state}">${STATES[state]}</span><small>${detail}</small></td><td class="number">${rate}</td><td class="number">${age}</td></tr>`;
}

function renderTransports({ transports }: LandingView): Markup {
  const rows = transports.map(
    ({ transport, count, share }) =>
      html`<tr><th scope="row">${transport}<svg class="bar" aria-hidden="true"><rect height="100%" rx="2" width="${share}"/></svg></th><td class="number">${count}</td></tr>`,
  );
  const table = html`<table aria-labelledby="transports" class="bars">
<thead><tr><th scope="col">Transport</th><th scope="col" class="number">Live</th></tr></thead>
<tbody>${rows}</tbody>
</table>`;
  return html`<section class="card">
<h2 id="transports">Live allocations by transport</h2>
${rows.length > 0 ? table : html`<p class="quiet">No allocation has been seen yet.</p>`}
</section>`;
}

function renderNotes(): Markup {
  return html`<section class="notes quiet">
<p><b>Client side</b> is between clients and coturn, <b>peer side</b> between coturn and their peers. They carry the same media once each, so never add them. <b>In</b> and <b>out</b> are received and sent, as coturn sees it. A <b>session</b> is the allocations of one user that overlap in time.</p>
<noscript><p>Without JavaScript the page is loaded anew every ${String(RELOAD_S)} seconds.</p></noscript>
</section>`;
}
