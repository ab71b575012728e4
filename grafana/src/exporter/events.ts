import type { Row } from '../dashboard.ts';
import { SESSION_INTERVAL, stacked, timeSeries } from '../panels.ts';
import { EXPORTER, promRange, SOURCE } from '../queries.ts';

/** What arrives, and what of it is wrong. */
export function eventsRow(): Row {
  return { title: 'Events', panels: [events(), rejected(), age(), missed()] };
}

/** Where it looks again, and what it writes. */
export function recordsRow(): Row {
  return {
    title: 'Sources, records and users',
    panels: [disconnects(), resyncs(), records(), users()],
  };
}

function events() {
  const rate = `rate(coturn_exporter_events_total{${SOURCE}}[$__rate_interval])`;
  return stacked({
    title: 'Events per second',
    description: 'Messages of coturn by meaning. About one for 400 client packets.',
    unit: 'cps',
    targets: [promRange(`sum by (source, event) (${rate})`, '{{source}} {{event}}')],
  });
}

function rejected() {
  const rate = `rate(coturn_exporter_events_rejected_total{${SOURCE}}[$__rate_interval])`;
  return stacked({
    title: 'Events rejected per second',
    description: 'Messages that could not be read, by reason. The log at debug level shows them.',
    unit: 'cps',
    targets: [promRange(`sum by (source, reason) (${rate})`, '{{source}} {{reason}}')],
  });
}

function age() {
  return timeSeries({
    title: 'Age of the last event',
    description: 'Saw teeth while events flow. A line that climbs is a source that is silent.',
    unit: 's',
    // A source that never had an event stands at zero: since 1970 would hide all others.
    targets: [
      promRange(
        `time() - (coturn_exporter_last_event_timestamp_seconds{${SOURCE}} > 0)`,
        '{{instance}} {{source}}',
      ),
    ],
  });
}

function missed() {
  const rate = (metric: string) => `rate(${metric}{${SOURCE}}[$__rate_interval])`;
  return timeSeries({
    title: 'Repaired and doubtful traffic',
    description:
      'Missed: bytes whose reports were lost and that the totals at the end made good. Collisions: two servers use the same id for the same user, and totals of such keys repair nothing.',
    unit: 'Bps',
    interval: SESSION_INTERVAL,
    targets: [
      promRange(
        `sum by (source) (${rate('coturn_exporter_missed_bytes_total')})`,
        '{{source}} missed',
      ),
      promRange(
        `sum by (source) (${rate('coturn_exporter_allocation_collisions_total')})`,
        '{{source}} collisions per second',
      ),
    ],
  }).overrideByRegexp('/ collisions per second$/', [{ id: 'unit', value: 'cps' }]);
}

function disconnects() {
  const rate = `rate(coturn_exporter_source_disconnects_total{${SOURCE}}[$__rate_interval])`;
  return timeSeries({
    title: 'Disconnects per minute',
    description: 'Connections to a source that broke. Each is a gap in which messages were lost.',
    unit: 'cpm',
    targets: [promRange(`sum by (instance, source) (${rate}) * 60`, '{{instance}} {{source}}')],
  });
}

function resyncs() {
  const rate = `rate(coturn_exporter_resyncs_total{${SOURCE}}[$__rate_interval])`;
  return timeSeries({
    title: 'Resyncs per minute',
    description: 'Readings of the status keys: at start, after each reconnect, at an interval.',
    unit: 'cpm',
    targets: [promRange(`sum by (instance, source) (${rate}) * 60`, '{{instance}} {{source}}')],
  });
}

function records() {
  const rate = `rate(coturn_exporter_records_total{${EXPORTER}}[$__rate_interval])`;
  return timeSeries({
    title: 'Session records per minute',
    description: 'Records by the result of writing them. Failed ones are tried again.',
    unit: 'cpm',
    interval: SESSION_INTERVAL,
    targets: [promRange(`sum by (instance, result) (${rate}) * 60`, '{{instance}} {{result}}')],
  });
}

function users() {
  return timeSeries({
    title: 'Live users and the cap on their series',
    description: 'The true number of live users; it may be above the cap (--user.max-series).',
    unit: 'short',
    targets: [
      promRange(`coturn_exporter_users{${EXPORTER}}`, '{{instance}} users'),
      promRange(`coturn_exporter_user_series_limit{${EXPORTER}}`, '{{instance}} cap'),
    ],
  });
}
