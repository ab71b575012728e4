import { MERGE_QUERIES } from '../columns.ts';
import type { Row } from '../dashboard.ts';
import { stat, TRAFFIC_INTERVAL, table } from '../panels.ts';
import { EXPORTER, promRange, promTable, REALM, SERVER } from '../queries.ts';

/** What is going on at this moment. */
export function nowRow(): Row {
  return {
    title: 'Now',
    panels: [liveSessions(), liveAllocations(), fromClients(), toClients(), relayShare(), down()],
  };
}

function liveSessions() {
  return stat({
    title: 'Live sessions',
    description: 'Uses of the relay going on now: a call of two people has up to two.',
    unit: 'short',
    targets: [promRange(`sum(sum without (relayed) (coturn_sessions{${REALM}}))`, 'sessions')],
  });
}

function liveAllocations() {
  return stat({
    title: 'Live allocations',
    description: 'Relayed transport addresses held now. One session usually holds several.',
    unit: 'short',
    targets: [promRange(`sum(coturn_allocations{${SERVER}})`, 'allocations')],
  });
}

function fromClients() {
  return stat({
    title: 'From clients',
    description: 'What clients send through the relay, as coturn receives it from them.',
    unit: 'bps',
    interval: TRAFFIC_INTERVAL,
    targets: [promRange(clientBits('received'), 'from clients')],
  });
}

function toClients() {
  return stat({
    title: 'To clients',
    description:
      'What coturn sends to clients. The peer side carries the same media once more and is not added.',
    unit: 'bps',
    interval: TRAFFIC_INTERVAL,
    targets: [promRange(clientBits('sent'), 'to clients')],
  });
}

function relayShare() {
  const finished = (labels: string) =>
    `sum(increase(coturn_sessions_finished_total{${REALM}${labels}}[$__range]))`;
  return stat({
    title: 'Needed the relay',
    description:
      'Share of the finished sessions of the range that relayed data. The others held allocations and then went peer to peer.',
    unit: 'percentunit',
    targets: [
      promTable(
        `${finished(',relayed="true"')} / (${finished(',relayed=~"true|false"')} > 0)`,
        'A',
      ),
    ],
  });
}

function down() {
  return stat({
    title: 'Sources down',
    description:
      'Sources from which no event can arrive: Redis not subscribed, or no coturn connected.',
    unit: 'short',
    alarm: 1,
    targets: [promRange(`count(coturn_up{${EXPORTER}} == 0) or vector(0)`, 'down')],
  });
}

/** Servers and sources, one row each. */
export function serversRow(): Row {
  return { title: 'Servers', panels: [servers()] };
}

function servers() {
  const bits = (metric: string) =>
    `sum by (server) (rate(${metric}{${SERVER}}[$__rate_interval])) * 8`;
  return table({
    title: 'Servers now',
    description:
      'Each coturn server and what it relays. A server without live allocations can be drained. coturn does not say when it stops: a server that died shows its allocations until their lifetime ends.',
    unit: 'bps',
    interval: TRAFFIC_INTERVAL,
    span: 24,
    targets: [
      promTable(`sum by (server) (coturn_allocations{${SERVER}})`, 'A'),
      promTable(bits('coturn_client_received_bytes_total'), 'B'),
      promTable(bits('coturn_client_sent_bytes_total'), 'C'),
      promTable(bits('coturn_peer_received_bytes_total'), 'D'),
      promTable(bits('coturn_peer_sent_bytes_total'), 'E'),
    ],
    transformations: [MERGE_QUERIES],
    columns: [
      { field: 'server', heading: 'Server' },
      { field: 'Value #A', heading: 'Live allocations', unit: 'short' },
      { field: 'Value #B', heading: 'From clients' },
      { field: 'Value #C', heading: 'To clients' },
      { field: 'Value #D', heading: 'From peers' },
      { field: 'Value #E', heading: 'To peers' },
    ],
    sortBy: 'Live allocations',
  });
}

function clientBits(direction: 'received' | 'sent'): string {
  return `sum(rate(coturn_client_${direction}_bytes_total{${SERVER}}[$__rate_interval])) * 8`;
}
