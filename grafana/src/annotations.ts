import { AnnotationQueryBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { countPairsOnce, EXPORTER, PROMETHEUS, SERVER } from './queries.ts';

/** A mark where an exporter was started. */
export function exporterStarts(): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name('Exporter starts')
    .datasource(PROMETHEUS)
    .enable(true)
    .iconColor('blue')
    .expr(`process_start_time_seconds{${EXPORTER}} * 1000`)
    .useValueForTime(true)
    .titleFormat('Exporter started')
    .textFormat('{{instance}} {{replica}}');
}

/** A mark where a coturn began anew: the allocations of the one before ended without a word. */
export function coturnRestarts(): AnnotationQueryBuilder {
  const ended = `increase(coturn_allocations_closed_total{${SERVER},reason=~"restarted|superseded"}[$__rate_interval])`;
  return new AnnotationQueryBuilder()
    .name('coturn restarts')
    .datasource(PROMETHEUS)
    .enable(true)
    .iconColor('orange')
    .expr(`${countPairsOnce(`sum by (server) (${ended})`)} > 0`)
    .step('1m')
    .titleFormat('coturn began anew')
    .textFormat('{{server}}');
}
