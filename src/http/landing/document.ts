import { attributes, escapeHtml, list, sparkline, textElement } from './html.ts';
import { MAX_SHOWN_REALMS, REALM_FIELDS, type RealmFields } from './realms.ts';
import { SCRIPT } from './script.ts';
import { UNKNOWN_HOST } from './setup.ts';
import { STYLE } from './style.ts';
import {
  type LandingView,
  type PageFields,
  SETUP_FIELDS,
  SOURCE_FIELDS,
  type SourceFields,
  TRANSPORT_FIELDS,
  type TransportFields,
} from './view.ts';

/** Where the page leads. */
export interface LandingLinks {
  /** Path of the metrics, from the root. */
  readonly metrics: string;
  /** Where the documentation of the exporter is; none where nobody said. */
  readonly docs?: string;
}

const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%232257c9'/%3E%3Cpath d='M3 6h8M8 3l3 3-3 3M13 10H5m3-3-3 3 3 3' transform='translate(0 0)' fill='none' stroke='%23fff' stroke-width='1.4'/%3E%3C/svg%3E";
const COTURN_DOCS = 'https://github.com/coturn/coturn/wiki/turnserver';

/** The whole page. Its links are relative, so that it works behind a proxy that adds a prefix. */
export function renderDocument(view: LandingView, links: LandingLinks): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>coturn-exporter</title>
<link rel="icon" href="${ICON}">
<style>${STYLE}</style>
</head>
<body>
${renderHeader(view.page, links)}
<main>
<p id="away" role="status"></p>
${renderSetup(view)}
${renderCards(view.page)}
${renderRealms(view)}
<div class="pair">
<div>
${renderSources(view)}
${renderNotes()}
</div>
${renderTransports(view)}
</div>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function renderHeader(page: PageFields, { metrics, docs }: LandingLinks): string {
  const own = docs === undefined ? '' : `<a href="${escapeHtml(docs)}">Documentation</a>`;
  return `<header>
<div>
<h1>coturn-exporter</h1>
<p class="quiet">version ${textElement('span', page, 'version')}, revision ${textElement('span', page, 'revision')}, up for ${textElement('span', page, 'uptime')}<span id="updated"></span></p>
</div>
<nav aria-label="Links">
<a href=".${escapeHtml(metrics)}">Metrics</a>
<a href="./readyz">Readiness</a>
${own}
<a href="${COTURN_DOCS}" rel="noreferrer">coturn manual</a>
</nav>
</header>`;
}

function renderSetup({ setup }: LandingView): string {
  const lines = list('div', setup, {
    name: 'setup',
    names: SETUP_FIELDS,
    row: (fields) => `<pre>${textElement('code', fields, 'line')}</pre>`,
  });
  const isAddressOpen = setup.some(({ line }) => line.includes(`ip=${UNKNOWN_HOST} `));
  const which = setup.length > 1 ? 'one of these lines' : 'this line';
  const where = isAddressOpen
    ? `; <code>${UNKNOWN_HOST}</code> is where coturn finds this machine, or its Redis`
    : '';
  return `<section class="setup" data-with="setup"${hiddenUnless(setup.length > 0)}>
<h2>No coturn has been heard yet</h2>
<p>Add ${which} to <code>turnserver.conf</code> and restart coturn${where}. What it reports appears here by itself.</p>
${lines}
</section>`;
}

function renderCards(page: PageFields): string {
  return `<section class="cards" aria-label="Now">
${renderCard('Live sessions', textElement('b', page, 'sessions'), sparkline(page, 'sessions', 'plain'))}
${renderCard('Live allocations', textElement('b', page, 'allocations'), sparkline(page, 'allocations', 'plain'))}
${renderCard('Client side', textElement('b', page, 'clientRate'), sparkline(page, 'client', 'client'))}
${renderCard('Peer side', textElement('b', page, 'peerRate'), sparkline(page, 'peer', 'peer'))}
</section>`;
}

function renderCard(title: string, value: string, graph: string): string {
  return `<div class="card"><h2>${title}</h2>${value}${graph}</div>`;
}

/** Its roles are explicit: a narrow screen lays it out as a grid, which would lose them. */
function renderRealms({ realms }: LandingView): string {
  const heads = [
    ['', 'Realm'],
    ['number', 'Sessions'],
    ['number wide', 'Allocations'],
    ['side client', 'Client side'],
    ['side peer', 'Peer side'],
  ].map(([style, text]) => `<th role="columnheader" scope="col" class="${style}">${text}</th>`);
  const body = list('tbody role="rowgroup"', realms, {
    name: 'realms',
    names: REALM_FIELDS,
    row: renderRealm,
  });
  return `<section class="card">
<h2 id="realms">Relay bandwidth by realm</h2>
<p class="quiet">Averages of a minute over the last five minutes. coturn reports an allocation every 4096 packets, so shorter windows would only show bursts. The busiest ${MAX_SHOWN_REALMS} realms, each line to its own scale.</p>
<table role="table" aria-labelledby="realms" class="realms" data-with="realms"${hiddenUnless(realms.length > 0)}>
<thead role="rowgroup"><tr role="row">${heads.join('')}</tr></thead>
${body}
</table>
<p class="quiet" data-without="realms"${hiddenUnless(realms.length === 0)}>No realm has been seen yet.</p>
</section>`;
}

function renderRealm(fields: RealmFields): string {
  const name = textElement('bdi', fields, 'realm');
  return `<tr role="row"><th role="rowheader" scope="row" class="name" ${attributes(fields, { 'data-name': 'isName' })}>${name}</th><td role="cell" class="number">${textElement('span', fields, 'sessions')}</td><td role="cell" class="number wide">${textElement('span', fields, 'allocations')}</td>${renderSide(fields, 'client')}${renderSide(fields, 'peer')}</tr>`;
}

function renderSide(fields: RealmFields, side: 'client' | 'peer'): string {
  const rate = textElement('b', fields, `${side}Rate`);
  const detail = textElement('small', fields, `${side}Detail`);
  const title = side === 'client' ? 'Client side' : 'Peer side';
  return `<td role="cell" data-side="${title}"><div class="side">${sparkline<'client' | 'peer'>(fields, side, side)}<span>${rate}${detail}</span></div></td>`;
}

function renderSources({ sources }: LandingView): string {
  const body = list('tbody', sources, { name: 'sources', names: SOURCE_FIELDS, row: renderSource });
  return `<section class="card">
<h2 id="sources">Sources</h2>
<table aria-labelledby="sources">
<thead><tr><th scope="col">Source</th><th scope="col">State</th><th scope="col" class="number">Events/s</th><th scope="col" class="number">Last event</th></tr></thead>
${body}
</table>
</section>`;
}

function renderSource(fields: SourceFields): string {
  const state = `<span class="state" ${attributes(fields, { 'data-state': 'state' })}>${textElement('span', fields, 'stateText')}</span>`;
  return `<tr><th scope="row" class="name" data-name="true">${textElement('bdi', fields, 'name')}${textElement('small', fields, 'kind')}</th><td>${state}${textElement('small', fields, 'detail')}</td><td class="number">${textElement('span', fields, 'rate')}</td><td class="number">${textElement('span', fields, 'age')}</td></tr>`;
}

function renderTransports({ transports }: LandingView): string {
  const body = list('tbody', transports, {
    name: 'transports',
    names: TRANSPORT_FIELDS,
    row: renderTransport,
  });
  return `<section class="card">
<h2 id="transports">Live allocations by transport</h2>
<table aria-labelledby="transports" class="bars" data-with="transports"${hiddenUnless(transports.length > 0)}>
<thead><tr><th scope="col">Transport</th><th scope="col" class="number">Live</th></tr></thead>
${body}
</table>
<p class="quiet" data-without="transports"${hiddenUnless(transports.length === 0)}>No allocation has been seen yet.</p>
</section>`;
}

function renderTransport(fields: TransportFields): string {
  const bar = `<svg class="bar" aria-hidden="true"><rect height="100%" rx="2" ${attributes(fields, { width: 'share' })}/></svg>`;
  return `<tr><th scope="row">${textElement('span', fields, 'transport')}${bar}</th><td class="number">${textElement('span', fields, 'count')}</td></tr>`;
}

function hiddenUnless(isShown: boolean): string {
  return isShown ? '' : ' hidden';
}

function renderNotes(): string {
  return `<section class="notes quiet">
<p><b>Client side</b> is between clients and coturn, <b>peer side</b> between coturn and their peers. They carry the same media once each, so never add them. <b>In</b> and <b>out</b> are received and sent, as coturn sees it. A <b>session</b> is the allocations of one user that overlap in time.</p>
<noscript><p>Without JavaScript the numbers stay as they were when the page was loaded.</p></noscript>
</section>`;
}
