import { MERGE_QUERIES } from '../columns.ts';
import type { Row } from '../dashboard.ts';
import { serverLineLink } from '../links.ts';
import { table, timeSeries } from '../panels.ts';
import { promRange, promTable, RECORDED_SERVER, SERVER } from '../queries.ts';

const NEEDS_RULES = 'needs the recording rules';
const OF_RULES = 'From the recording rules, which know neither job nor instance.';
const BITS = `server_direction:coturn_client_bits:rate5m{${RECORDED_SERVER}}`;
const BITS_LIMIT = `server:coturn_client_bits_per_second:limit{${RECORDED_SERVER}}`;
const PORTS = `sum by (server) (coturn_allocations{${SERVER}})`;
const PORTS_LIMIT = `max by (server) (server:coturn_relay_ports:limit{${RECORDED_SERVER}})`;

/** How much room there is on each server, and how fast it goes. */
export function capacityRow(): Row {
  return { title: 'Capacity', panels: [bandwidth(), ports(), servers(), growth()] };
}

const LIMIT_LINE = [
  { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 10] } },
  { id: 'custom.fillOpacity', value: 0 },
  { id: 'color', value: { mode: 'fixed', fixedColor: 'red' } },
];

function bandwidth() {
  return timeSeries({
    title: 'Bandwidth against its limit',
    description: `Client side, the greater of the two directions, and the limit of each server (coturn:client_bits_per_second:limit). Near it coturn drops packets. ${OF_RULES}`,
    unit: 'bps',
    targets: [
      promRange(`max by (server) (${BITS})`, '{{server}}'),
      promRange(`max by (server) (${BITS_LIMIT})`, '{{server}} limit'),
    ],
  })
    .noValue(NEEDS_RULES)
    .overrideByRegexp('/ limit$/', LIMIT_LINE)
    .overrideByFieldType('number', [{ id: 'links', value: serverLineLink() }]);
}

function ports() {
  return timeSeries({
    title: 'Allocations against relay ports',
    description:
      'Live allocations of each server, each of which takes a relay port, and the ports there are (coturn:relay_ports:limit). Without a free port calls that need the relay fail.',
    unit: 'short',
    targets: [promRange(PORTS, '{{server}}'), promRange(PORTS_LIMIT, '{{server}} limit')],
  }).overrideByRegexp('/ limit$/', LIMIT_LINE);
}

function servers() {
  const month = `max by (server) (quantile_over_time(0.95, ${BITS}[30d]))`;
  return table({
    title: 'Capacity by server',
    description: `Which server is full first. 95 % of a month: what the busier direction stayed below for 95 % of the last 30 days, or of what Prometheus still has; the way many providers bill. ${OF_RULES}`,
    unit: 'bps',
    span: 24,
    targets: [
      promTable(`max by (server) (${BITS})`, 'A'),
      promTable(month, 'B'),
      promTable(`max by (server) (${BITS_LIMIT})`, 'C'),
      promTable(`${month} / on (server) max by (server) (${BITS_LIMIT})`, 'D'),
      promTable(PORTS, 'E'),
      promTable(`${PORTS} / on (server) ${PORTS_LIMIT}`, 'F'),
    ],
    transformations: [MERGE_QUERIES],
    columns: [
      { field: 'server', heading: 'Server' },
      { field: 'Value #A', heading: 'Bandwidth now' },
      { field: 'Value #B', heading: '95 % of a month' },
      { field: 'Value #C', heading: 'Limit' },
      { field: 'Value #D', heading: '95 % of the limit', unit: 'percentunit' },
      { field: 'Value #E', heading: 'Allocations', unit: 'short' },
      { field: 'Value #F', heading: 'Of the ports', unit: 'percentunit' },
    ],
    sortBy: '95 % of the limit',
  });
}

function growth() {
  const day = (offset: string) =>
    `sum(max by (cluster, server, direction) (avg_over_time(${BITS}[1d]${offset})))`;
  return timeSeries({
    title: 'Growth: the day before, and four weeks earlier',
    description: `Average of 24 hours, client side, both directions of the chosen servers together; the second line is the same four weeks earlier, empty until there is so much history. ${OF_RULES}`,
    unit: 'bps',
    span: 24,
    targets: [promRange(day(''), '24 hours'), promRange(day(' offset 4w'), 'four weeks earlier')],
  }).noValue(NEEDS_RULES);
}
