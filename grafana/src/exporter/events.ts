import type { Row } from '../dashboard.ts';
import { SESSION_INTERVAL, stacked, timeSeries } from '../panels.ts';
import { promRange, SOURCE } from '../queries.ts';

/** What arrives, and what of it is wrong. */
export function eventsRow(): Row {
  return { title: 'Events', panels: [events(), rejected(), age(), missed()] };
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
