import type { Row } from '../dashboard.ts';
import { stacked, stat, timeSeries } from '../panels.ts';
import { promRange, REALM, SERVER } from '../queries.ts';

const NOT_KNOWN_YET = 'this exporter does not tell yet';

/** Who needs the relay at this moment, and how clients reach it. */
export function relayNeedRow(): Row {
  return {
    title: 'Direct or relayed now',
    panels: [relayedNow(), sessionsNow(), blocked(), transports()],
  };
}

function relayedNow() {
  const live = (relayed: string) => `sum(coturn_sessions{${REALM},relayed=${relayed}})`;
  return stat({
    title: 'Relaying now',
    description: `Share of the live sessions that relay; the others hold an allocation and went peer to peer. Those too young to tell are left out.`,
    unit: 'percentunit',
    span: 6,
    height: 8,
    targets: [promRange(`${live('"true"')} / (${live('~"true|false"')} > 0)`, 'relaying')],
  }).noValue(NOT_KNOWN_YET);
}

function sessionsNow() {
  return stacked({
    title: 'Live sessions, direct and relayed',
    description: `true: the relay carries the call. false: it went peer to peer and only keeps its allocation. unknown: too young to tell, or a coturn that does not report peers.`,
    unit: 'short',
    span: 18,
    targets: [
      promRange(
        `sum by (relayed) (coturn_sessions{${REALM},relayed=~"true|false|unknown"})`,
        'relayed {{relayed}}',
      ),
    ],
  }).noValue(NOT_KNOWN_YET);
}

const KNOWN = `coturn_allocations{${SERVER},transport!="unknown"}`;

function blocked() {
  return stat({
    title: 'Behind firewalls that block UDP',
    description:
      'Share of the live allocations whose client came over TCP or TLS, which clients try only where UDP does not pass. Transports that coturn did not tell are left out.',
    unit: 'percentunit',
    span: 6,
    height: 8,
    targets: [
      promRange(
        `sum(coturn_allocations{${SERVER},transport=~"tcp|tls"}) / (sum(${KNOWN}) > 0)`,
        'tcp and tls',
      ),
    ],
  });
}

function transports() {
  return timeSeries({
    title: 'Transports of clients as a share',
    description: 'How the clients of the live allocations reach coturn; together 100 %.',
    unit: 'percentunit',
    span: 18,
    targets: [
      promRange(
        `sum by (transport) (${KNOWN}) / on () group_left () (sum(${KNOWN}) > 0)`,
        '{{transport}}',
      ),
    ],
  })
    .min(0)
    .max(1);
}
