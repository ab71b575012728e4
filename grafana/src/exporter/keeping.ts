import type { Row } from '../dashboard.ts';
import { SESSION_INTERVAL, timeSeries } from '../panels.ts';
import { EXPORTER, eachReplica } from '../queries.ts';

/** What the exporter writes and keeps. */
export function keepingRow(): Row {
  return {
    title: 'Records, state and users',
    panels: [records(), waiting(), reopened(), stateSaves(), stateAge(), badLines(), users()],
  };
}

function records() {
  const rate = `rate(coturn_exporter_records_total{${EXPORTER}}[$__rate_interval])`;
  return timeSeries({
    title: 'Session records per minute',
    description: 'Records by the result of writing them. Failed ones are tried again.',
    unit: 'cpm',
    interval: SESSION_INTERVAL,
    targets: [
      eachReplica(
        `sum by (instance, replica, result) (${rate}) * 60`,
        '{{instance}} {{replica}} {{result}}',
      ),
    ],
  });
}

function waiting() {
  const spilled = `increase(coturn_exporter_records_spilled_total{${EXPORTER}}[$__rate_interval])`;
  return timeSeries({
    title: 'Session records that wait, and those spilled',
    description:
      'Waiting: in memory until their destination takes them. Spilled: written to standard error, because too many waited.',
    unit: 'short',
    targets: [
      eachReplica(
        `coturn_exporter_records_queued{${EXPORTER}}`,
        '{{instance}} {{replica}} waiting',
      ),
      eachReplica(`sum by (instance, replica) (${spilled})`, '{{instance}} {{replica}} spilled'),
    ],
  });
}

function reopened() {
  const count = `increase(coturn_exporter_records_reopened_total{${EXPORTER}}[$__rate_interval])`;
  return timeSeries({
    title: 'Record files opened anew',
    description:
      'By reason: a new day, SIGHUP, a file that was renamed or replaced, or one that was deleted, whose records are lost.',
    unit: 'short',
    targets: [
      eachReplica(
        `sum by (instance, replica, reason) (${count})`,
        '{{instance}} {{replica}} {{reason}}',
      ),
    ],
  });
}

function badLines() {
  return timeSeries({
    title: 'Lines of the state file that could not be read',
    description: 'At the last start; they are in the file that ends in .bad.',
    unit: 'short',
    targets: [
      eachReplica(`coturn_exporter_state_bad_lines{${EXPORTER}}`, '{{instance}} {{replica}}'),
    ],
  });
}

function stateSaves() {
  const rate = `rate(coturn_exporter_state_saves_total{${EXPORTER}}[$__rate_interval])`;
  return timeSeries({
    title: 'Saves of the state per minute',
    description: 'Writings of the file of --state.file by result; none where it is off.',
    unit: 'cpm',
    targets: [
      eachReplica(
        `sum by (instance, replica, result) (${rate}) * 60`,
        '{{instance}} {{replica}} {{result}}',
      ),
    ],
  });
}

function stateAge() {
  return timeSeries({
    title: 'Age of the saved state',
    description:
      'Saw teeth up to --state.interval. A line that climbs is a state that is not saved; no line is a state file that is off.',
    unit: 's',
    targets: [
      eachReplica(
        `time() - (coturn_exporter_state_saved_timestamp_seconds{${EXPORTER}} > 0)`,
        '{{instance}} {{replica}}',
      ),
    ],
  }).noValue('no state file');
}

function users() {
  return timeSeries({
    title: 'Live users and the cap on their series',
    description: 'The true number of live users; it may be above the cap (--user.max-series).',
    unit: 'short',
    targets: [
      eachReplica(`coturn_exporter_users{${EXPORTER}}`, '{{instance}} {{replica}} users'),
      eachReplica(`coturn_exporter_user_series_limit{${EXPORTER}}`, '{{instance}} {{replica}} cap'),
    ],
  });
}
