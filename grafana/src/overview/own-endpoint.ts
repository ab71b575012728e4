import type { Row } from '../dashboard.ts';
import { timeSeries } from '../panels.ts';
import { promRange } from '../queries.ts';

// coturn 4.17.1, src/apps/relay/prom_server.c. Targets of their own: neither job, instance, realm nor
// server of this dashboard is theirs.
const OF_COTURN = 'cluster=~"$cluster"';
const ABOUT =
  "From coturn's own endpoint (turnserver --prometheus, port 9641); empty unless Prometheus scrapes it. Only the cluster above filters it.";
const NOT_SCRAPED = "coturn's own endpoint is not scraped";

/** What coturn tells of itself and publishes nowhere else. */
export function ownEndpointRow(): Row {
  return {
    title: "coturn's own endpoint, where it is scraped",
    panels: [unauthorized(), bindings(), packets(), allocations()],
  };
}

function each(metric: string): string {
  return `sum by (instance) (rate(${metric}{${OF_COTURN}}[$__rate_interval]))`;
}

function unauthorized() {
  return timeSeries({
    title: 'Requests without valid credentials',
    description: `Requests over UDP that had to be answered with 401: each login begins with one, so that a rise without more allocations is an application with wrong credentials, or somebody who guesses. Suppressed: answers that coturn withheld as a flood. ${ABOUT}`,
    unit: 'cps',
    targets: [
      promRange(each('turn_unauthenticated_401_requests'), '{{instance}} requests'),
      promRange(each('turn_unauthenticated_401_dropped_responses'), '{{instance}} suppressed'),
    ],
  }).noValue(NOT_SCRAPED);
}

function bindings() {
  return timeSeries({
    title: 'STUN bindings',
    description: `Plain STUN requests, which need no allocation, and those answered with an error. ${ABOUT}`,
    unit: 'cps',
    targets: [
      promRange(each('stun_binding_request'), '{{instance}} requests'),
      promRange(each('stun_binding_error'), '{{instance}} errors'),
    ],
  }).noValue(NOT_SCRAPED);
}

function packets() {
  return timeSeries({
    title: 'Packets that coturn dropped',
    description: `Packets that came in and were thrown away. ${ABOUT}`,
    unit: 'pps',
    targets: [promRange(each('turn_packet_dropped'), '{{instance}}')],
  }).noValue(NOT_SCRAPED);
}

function allocations() {
  return timeSeries({
    title: "Allocations by coturn's own count",
    description: `What coturn itself holds, by transport of the relay: compare it with the live allocations here. A difference that stays means that events are lost. ${ABOUT}`,
    unit: 'short',
    targets: [
      promRange(
        `sum by (instance, type) (turn_total_allocations{${OF_COTURN}})`,
        '{{instance}} {{type}}',
      ),
    ],
  }).noValue(NOT_SCRAPED);
}
