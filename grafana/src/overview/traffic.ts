import type { Row } from '../dashboard.ts';
import { realmLineLink, serverLineLink } from '../links.ts';
import { mirrored, stacked, TRAFFIC_INTERVAL, timeSeries } from '../panels.ts';
import { promRange, SERVER } from '../queries.ts';

const BURSTS =
  'coturn reports an allocation every 4096 packets and at its end, so windows are minutes long and quiet calls show late.';

/** Relay bandwidth by realm and by server, client and peer side apart. */
export function bandwidthRow(): Row {
  return {
    title: 'Relay bandwidth',
    panels: [
      bandwidth('client', 'realm'),
      bandwidth('peer', 'realm'),
      bandwidth('client', 'server'),
      bandwidth('peer', 'server'),
      packets('client'),
      packets('peer'),
    ],
  };
}

/** Traffic of those that never got an allocation. */
export function unallocatedRow(): Row {
  return { title: 'Without an allocation', panels: [unallocatedPackets(), unallocatedBytes()] };
}

function bandwidth(side: 'client' | 'peer', by: 'realm' | 'server') {
  const bits = (direction: string) =>
    `sum by (${by}) (rate(coturn_${side}_${direction}_bytes_total{${SERVER}}[$__rate_interval])) * 8`;
  return mirrored(
    {
      title: `${side === 'client' ? 'Client' : 'Peer'} side by ${by}`,
      description: `Bits per second between coturn and its ${side}s; what coturn sends goes downwards. The other side carries the same media once more: never add the two. ${BURSTS} A click leads to the sessions that finished around that time.`,
      unit: 'bps',
      interval: TRAFFIC_INTERVAL,
      targets: [
        promRange(bits('received'), `{{${by}}} from ${side}s`),
        promRange(bits('sent'), `{{${by}}} to ${side}s`),
      ],
    },
    `/ to ${side}s$/`,
  ).overrideByFieldType('number', [
    { id: 'links', value: by === 'realm' ? realmLineLink() : serverLineLink() },
  ]);
}

function packets(side: 'client' | 'peer') {
  const rate = (direction: string) =>
    `sum by (server) (rate(coturn_${side}_${direction}_packets_total{${SERVER}}[$__rate_interval]))`;
  return mirrored(
    {
      title: `${side === 'client' ? 'Client' : 'Peer'} side packets by server`,
      description: `Packets per second between coturn and its ${side}s: what a server's CPU feels. ${BURSTS}`,
      unit: 'pps',
      interval: TRAFFIC_INTERVAL,
      targets: [
        promRange(rate('received'), `{{server}} from ${side}s`),
        promRange(rate('sent'), `{{server}} to ${side}s`),
      ],
    },
    `/ to ${side}s$/`,
  );
}

function unallocatedPackets() {
  const packetsOf = (direction: string) =>
    `sum by (realm, server) (rate(coturn_unallocated_${direction}_packets_total{${SERVER}}[$__rate_interval]))`;
  return timeSeries({
    title: 'Packets without an allocation',
    description:
      'Clients that never held an allocation: plain STUN, failed logins, scans. A surge is a scan, or an application with wrong credentials.',
    unit: 'pps',
    interval: TRAFFIC_INTERVAL,
    targets: [
      promRange(packetsOf('received'), '{{realm}} {{server}} received'),
      promRange(packetsOf('sent'), '{{realm}} {{server}} sent'),
    ],
  });
}

function unallocatedBytes() {
  const bitsOf = (direction: string) =>
    `sum by (realm) (rate(coturn_unallocated_${direction}_bytes_total{${SERVER}}[$__rate_interval])) * 8`;
  return stacked({
    title: 'Bandwidth without an allocation',
    description:
      'The same in bits per second. What coturn sends here and nobody asked for may be reflection: compare it with what it receives.',
    unit: 'bps',
    interval: TRAFFIC_INTERVAL,
    targets: [
      promRange(bitsOf('received'), '{{realm}} received'),
      promRange(bitsOf('sent'), '{{realm}} sent'),
    ],
  });
}
