import type { Row } from '../dashboard.ts';
import { timeSeries } from '../panels.ts';
import { EXPORTER, promRange, SOURCE } from '../queries.ts';

/** How well the exporter is connected to where its events come from. */
export function sourcesRow(): Row {
  return {
    title: 'Sources',
    panels: [
      servers(),
      lastHeard(),
      disconnects(),
      gaps(),
      resyncs(),
      connections(),
      refused(),
      droppedReplies(),
    ],
  };
}

const PER_MINUTE = (metric: string): string => `rate(${metric}{${SOURCE}}[$__rate_interval]) * 60`;

function servers() {
  const of = (metric: string): string => `max by (server) (${metric}{${EXPORTER}})`;
  return timeSeries({
    title: 'Servers that are up, and their connections',
    description:
      'Each coturn by itself: connected to the embedded statsdb, with how many connections, or heard of within a lifetime through a Redis. One that is gone for --server.forget-after leaves.',
    unit: 'short',
    targets: [
      promRange(of('coturn_server_up'), '{{server}} up'),
      promRange(of('coturn_server_connections'), '{{server}} connections'),
    ],
  }).overrideByRegexp('/ up$/', [{ id: 'unit', value: 'bool_yes_no' }]);
}

function lastHeard() {
  const heard = `coturn_server_last_event_timestamp_seconds{${EXPORTER}} > 0`;
  return timeSeries({
    title: 'Time since each server was heard',
    description:
      'Age of the last message of each coturn. An idle one later than 4.6.1 sends nothing: silence counts only where it holds sessions.',
    unit: 's',
    targets: [promRange(`time() - max by (server) (${heard})`, '{{server}}')],
  });
}

function disconnects() {
  return timeSeries({
    title: 'Disconnects per minute',
    description: 'Connections to a source that broke. Each is a gap in which messages were lost.',
    unit: 'cpm',
    targets: [
      promRange(
        `sum by (instance, source) (${PER_MINUTE('coturn_exporter_source_disconnects_total')})`,
        '{{instance}} {{source}}',
      ),
    ],
  });
}

function gaps() {
  const seconds = `increase(coturn_exporter_source_gap_seconds_total{${SOURCE}}[$__rate_interval])`;
  return timeSeries({
    title: 'Gaps without a subscription',
    description:
      'Seconds in which nothing could arrive from a Redis, shown when the gap is over. What coturn published then is lost until its totals come.',
    unit: 's',
    targets: [promRange(`sum by (instance, source) (${seconds})`, '{{instance}} {{source}}')],
  });
}

function resyncs() {
  return timeSeries({
    title: 'Resyncs per minute, and wrong databases',
    description:
      'Readings of the status keys: at start, after each reconnect, at an interval. They are switched off where the keys are not found (1: wrong database).',
    unit: 'cpm',
    targets: [
      promRange(
        `sum by (instance, source) (${PER_MINUTE('coturn_exporter_resyncs_total')})`,
        '{{instance}} {{source}}',
      ),
      promRange(
        `max by (instance, source) (coturn_exporter_source_wrong_database{${SOURCE}})`,
        '{{instance}} {{source}} wrong database',
      ),
    ],
  }).overrideByRegexp('/ wrong database$/', [{ id: 'unit', value: 'bool_yes_no' }]);
}

function connections() {
  return timeSeries({
    title: 'Connections to the embedded statsdb',
    description:
      'Open connections of coturn servers; each coturn keeps one for itself and one for each of its threads that relay.',
    unit: 'short',
    targets: [
      promRange(
        `sum by (instance, source) (coturn_exporter_statsdb_connections{${SOURCE}})`,
        '{{instance}} {{source}}',
      ),
    ],
  });
}

function refused() {
  return timeSeries({
    title: 'Connections refused and wrong passwords per minute',
    description:
      'What the embedded statsdb turned away, by reason: a coturn with another password, or something that is no coturn.',
    unit: 'cpm',
    targets: [
      promRange(
        `sum by (source, reason) (${PER_MINUTE('coturn_exporter_statsdb_connections_refused_total')})`,
        '{{source}} {{reason}}',
      ),
      promRange(
        `sum by (source) (${PER_MINUTE('coturn_exporter_statsdb_wrong_passwords_total')})`,
        '{{source}} wrong passwords',
      ),
    ],
  });
}

function droppedReplies() {
  return timeSeries({
    title: 'Replies dropped per minute',
    description:
      'Answers of the embedded statsdb to peers that no longer read them. Their events count all the same.',
    unit: 'cpm',
    targets: [
      promRange(
        `sum by (instance, source) (${PER_MINUTE('coturn_exporter_statsdb_dropped_replies_total')})`,
        '{{instance}} {{source}}',
      ),
    ],
  });
}
