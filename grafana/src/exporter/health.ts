import { MERGE_QUERIES } from '../columns.ts';
import type { Row } from '../dashboard.ts';
import { stat, table, timeSeries } from '../panels.ts';
import { EXPORTER, eachReplica, promRange, promTable, SOURCE } from '../queries.ts';

/** Is the exporter itself well. */
export function healthRow(): Row {
  return {
    title: 'Health',
    panels: [up(), sourcesDown(), eventAge(), users(), recordsAtRisk(), build()],
  };
}

/** What it costs to run. */
export function processRow(): Row {
  return {
    title: 'Process',
    panels: [memory(), cpu(), eventLoop(), garbage(), scrape(), descriptors()],
  };
}

function up() {
  return stat({
    title: 'Exporters up',
    description: 'Exporters that Prometheus can scrape.',
    unit: 'short',
    span: 5,
    targets: [promRange(`sum(up{${EXPORTER}})`, 'up')],
  });
}

function sourcesDown() {
  return stat({
    title: 'Sources down',
    description: 'Sources from which no event can arrive.',
    unit: 'short',
    span: 5,
    alarm: 1,
    targets: [promRange(`count(coturn_up{${SOURCE}} == 0) or vector(0)`, 'down')],
  });
}

function eventAge() {
  return stat({
    title: 'Longest silence',
    description:
      'Since the last message of coturn, of the source that waits longest. An idle coturn 4.17 is silent: only with live sessions is silence a fault.',
    unit: 's',
    span: 5,
    targets: [
      promRange(`max(time() - coturn_exporter_last_event_timestamp_seconds{${SOURCE}} > 0)`, 'age'),
    ],
  });
}

function users() {
  return stat({
    title: 'Users of the cap',
    description:
      'Live users as a share of --user.max-series. Beyond 100 % the rest is summed in user="~other"; records are not affected.',
    unit: 'percentunit',
    span: 5,
    alarm: 1,
    targets: [
      promRange(
        `max(coturn_exporter_users{${EXPORTER}} / coturn_exporter_user_series_limit{${EXPORTER}})`,
        'users',
      ),
    ],
  });
}

function recordsAtRisk() {
  const increase = (metric: string, labels: string) =>
    `sum(increase(${metric}{${EXPORTER}${labels}}[$__range]))`;
  return stat({
    title: 'Record writes failed or spilled',
    description:
      'In the range: writes of session records that failed (they are tried again while memory allows), and records that went to standard error instead.',
    unit: 'short',
    span: 4,
    alarm: 1,
    targets: [
      promTable(
        `${increase('coturn_exporter_records_total', ',result="failed"')} + ${increase('coturn_exporter_records_spilled_total', '')}`,
        'A',
      ),
    ],
  });
}

function build() {
  return table({
    title: 'Exporters',
    description: 'Version, and for how long each exporter has been running.',
    unit: 'short',
    span: 24,
    height: 5,
    targets: [
      promTable(
        `max by (instance, version, revision, node_version) (coturn_exporter_build_info{${EXPORTER}})`,
        'A',
      ),
      promTable(`time() - max by (instance) (process_start_time_seconds{${EXPORTER}})`, 'B'),
    ],
    transformations: [MERGE_QUERIES],
    columns: [
      { field: 'instance', heading: 'Instance' },
      { field: 'version', heading: 'Version' },
      { field: 'revision', heading: 'Revision' },
      { field: 'node_version', heading: 'Node.js' },
      { field: 'Value #B', heading: 'Running for', unit: 'dtdurations' },
    ],
  });
}

function memory() {
  return timeSeries({
    title: 'Memory',
    description:
      'Resident memory and the heap of JavaScript. It grows with live allocations and users.',
    unit: 'bytes',
    targets: [
      eachReplica(
        `process_resident_memory_bytes{${EXPORTER}}`,
        '{{instance}} {{replica}} resident',
      ),
      eachReplica(`nodejs_heap_size_used_bytes{${EXPORTER}}`, '{{instance}} {{replica}} heap used'),
      eachReplica(`nodejs_external_memory_bytes{${EXPORTER}}`, '{{instance}} {{replica}} external'),
    ],
  });
}

function cpu() {
  return timeSeries({
    title: 'CPU',
    description: 'Seconds of CPU per second: 100 % is one core, and events are read on one core.',
    unit: 'percentunit',
    targets: [
      eachReplica(
        `rate(process_cpu_seconds_total{${EXPORTER}}[$__rate_interval])`,
        '{{instance}} {{replica}}',
      ),
    ],
  });
}

function eventLoop() {
  return timeSeries({
    title: 'Event loop lag',
    description:
      'How long events wait for the exporter. Lasting seconds mean it is overloaded: shard it.',
    unit: 's',
    targets: [
      eachReplica(`nodejs_eventloop_lag_p99_seconds{${EXPORTER}}`, '{{instance}} {{replica}} 99 %'),
      eachReplica(
        `nodejs_eventloop_lag_max_seconds{${EXPORTER}}`,
        '{{instance}} {{replica}} longest',
      ),
    ],
  });
}

function garbage() {
  const time = `rate(nodejs_gc_duration_seconds_sum{${EXPORTER}}[$__rate_interval])`;
  return timeSeries({
    title: 'Garbage collection',
    description: 'Share of time spent collecting garbage, by kind.',
    unit: 'percentunit',
    targets: [
      eachReplica(
        `sum by (instance, replica, kind) (${time})`,
        '{{instance}} {{replica}} {{kind}}',
      ),
    ],
  });
}

function scrape() {
  return timeSeries({
    title: 'Duration of scrapes',
    description: 'How long Prometheus waits for /metrics. Users make most of the series.',
    unit: 's',
    targets: [eachReplica(`scrape_duration_seconds{${EXPORTER}}`, '{{instance}} {{replica}}')],
  });
}

function descriptors() {
  return timeSeries({
    title: 'Series and file descriptors',
    description: 'Series of the last scrape, and open files and sockets against their limit.',
    unit: 'short',
    targets: [
      eachReplica(`scrape_samples_scraped{${EXPORTER}}`, '{{instance}} {{replica}} series'),
      eachReplica(`process_open_fds{${EXPORTER}}`, '{{instance}} {{replica}} descriptors'),
      eachReplica(`process_max_fds{${EXPORTER}}`, '{{instance}} {{replica}} descriptor limit'),
    ],
  });
}
