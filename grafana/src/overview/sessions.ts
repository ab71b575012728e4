import type { Row } from '../dashboard.ts';
import { heatmap, SESSION_INTERVAL, stacked, timeSeries } from '../panels.ts';
import { promExemplars, promHeatmap, promRange, REALM, SERVER } from '../queries.ts';

/** How many there are, how they begin and how they end. */
export function sessionsRow(): Row {
  return {
    title: 'Sessions and allocations',
    panels: [
      liveSessions(),
      liveAllocations(),
      finished(),
      relayShare(),
      createdByTransport(),
      createdByFamily(),
      closed(),
      refreshes(),
    ],
  };
}

/** How long sessions last and how much they relay. */
export function distributionRow(): Row {
  return {
    title: 'Duration and volume of finished sessions',
    panels: [
      distribution('Session duration', 'coturn_session_duration_seconds', 's'),
      quantiles('Session duration quantiles', 'coturn_session_duration_seconds', 's'),
      distribution('Relayed volume', 'coturn_session_relayed_bytes', 'bytes'),
      quantiles('Relayed volume quantiles', 'coturn_session_relayed_bytes', 'bytes'),
    ],
  };
}

function liveSessions() {
  return stacked({
    title: 'Live sessions by realm',
    description: 'Sessions going on: the allocations of one user that overlap in time are one.',
    unit: 'short',
    targets: [
      promRange(`sum by (realm) (sum without (relayed) (coturn_sessions{${REALM}}))`, '{{realm}}'),
    ],
  });
}

function liveAllocations() {
  return stacked({
    title: 'Live allocations by transport',
    description:
      'How clients reach coturn. Many on tcp or tls tell of networks that block UDP; unknown is a coturn before 4.6.',
    unit: 'short',
    targets: [promRange(`sum by (transport) (coturn_allocations{${SERVER}})`, '{{transport}}')],
  });
}

function finished() {
  const ended = `rate(coturn_sessions_finished_total{${REALM}}[$__rate_interval])`;
  return stacked({
    title: 'Sessions finished per minute by outcome',
    description:
      'deleted: announced by coturn. expired, vanished, superseded: coturn crashed, restarted, or messages were lost. shutdown: the exporter stopped without a state file.',
    unit: 'cpm',
    interval: SESSION_INTERVAL,
    targets: [
      promRange(`sum by (reason, relayed) (${ended}) * 60`, '{{reason}} relayed={{relayed}}'),
    ],
  });
}

function relayShare() {
  const ended = (labels: string) =>
    `sum by (realm) (rate(coturn_sessions_finished_total{${REALM}${labels}}[$__rate_interval]))`;
  return timeSeries({
    title: 'Share of sessions that needed the relay',
    description:
      'Finished sessions that relayed data, of all finished sessions. The rest held allocations as a fallback and went peer to peer.',
    unit: 'percentunit',
    interval: SESSION_INTERVAL,
    targets: [
      promRange(
        `${ended(',relayed="true"')} / (${ended(',relayed=~"true|false"')} > 0)`,
        '{{realm}}',
      ),
    ],
  })
    .min(0)
    .max(1);
}

function createdByTransport() {
  const created = `rate(coturn_allocations_created_total{${SERVER}}[$__rate_interval])`;
  return stacked({
    title: 'Allocations created per minute by transport and TLS version',
    description: 'New allocations, and those adopted after their start.',
    unit: 'cpm',
    interval: SESSION_INTERVAL,
    targets: [promRange(`sum by (transport, tls) (${created}) * 60`, '{{transport}} {{tls}}')],
  });
}

function createdByFamily() {
  const created = `rate(coturn_allocations_created_total{${SERVER}}[$__rate_interval])`;
  return stacked({
    title: 'Allocations created per minute by address family',
    description: 'Whether clients come by IPv4 or IPv6.',
    unit: 'cpm',
    interval: SESSION_INTERVAL,
    targets: [promRange(`sum by (ip_family) (${created}) * 60`, '{{ip_family}}')],
  });
}

function closed() {
  const ended = `rate(coturn_allocations_closed_total{${SERVER}}[$__rate_interval])`;
  return stacked({
    title: 'Allocations closed per minute by reason',
    description: 'Anything but deleted is an end that coturn did not announce.',
    unit: 'cpm',
    interval: SESSION_INTERVAL,
    targets: [promRange(`sum by (server, reason) (${ended}) * 60`, '{{server}} {{reason}}')],
  });
}

function refreshes() {
  const refreshed = `rate(coturn_allocation_refreshes_total{${SERVER}}[$__rate_interval])`;
  return timeSeries({
    title: 'Refreshes per minute by server',
    description: 'Clients that keep their allocation. A sudden end of all is a network problem.',
    unit: 'cpm',
    interval: SESSION_INTERVAL,
    targets: [promRange(`sum by (server) (${refreshed}) * 60`, '{{server}}')],
  });
}

function distribution(title: string, metric: string, unit: string) {
  return heatmap({
    title,
    description:
      'Finished sessions per time step and size. The dots are single sessions: one leads to its record.',
    unit,
    targets: [promHeatmap(`sum by (le) (increase(${metric}_bucket{${REALM}}[$__rate_interval]))`)],
  });
}

function quantiles(title: string, metric: string, unit: string) {
  const buckets = `sum by (le) (rate(${metric}_bucket{${REALM}}[$__rate_interval]))`;
  const quantile = (share: number) => `histogram_quantile(${share}, ${buckets})`;
  return timeSeries({
    title,
    description: 'Half, 90 % and 99 % of the finished sessions lie below. Gaps: none finished.',
    unit,
    interval: SESSION_INTERVAL,
    targets: [
      promExemplars(quantile(0.5), '50 %'),
      promRange(quantile(0.9), '90 %'),
      promRange(quantile(0.99), '99 %'),
    ],
  });
}
