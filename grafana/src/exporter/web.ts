import type { Row } from '../dashboard.ts';
import { timeSeries } from '../panels.ts';
import { EXPORTER, promRange } from '../queries.ts';

/** Who asks the exporter, and who is turned away. */
export function webRow(): Row {
  return { title: 'HTTP server', panels: [connections(), refused(), config()] };
}

function connections() {
  return timeSeries({
    title: 'HTTP connections',
    description: 'Open connections to the HTTP server. It takes 256.',
    unit: 'short',
    targets: [promRange(`coturn_exporter_web_connections{${EXPORTER}}`, '{{instance}}')],
  });
}

function refused() {
  const rate = `rate(coturn_exporter_web_refused_total{${EXPORTER}}[$__rate_interval])`;
  return timeSeries({
    title: 'HTTP requests refused per minute',
    description:
      'Requests and connections by the reason why they were refused: too many at a time, too slow, no valid login.',
    unit: 'cpm',
    targets: [promRange(`sum by (instance, reason) (${rate}) * 60`, '{{instance}} {{reason}}')],
  });
}

function config() {
  const reloads = `increase(coturn_exporter_web_config_reloads_total{${EXPORTER}}[$__rate_interval])`;
  return timeSeries({
    title: 'Web configuration',
    description:
      'Good: 1 while the file of --web.config.file on disk is the one in use. Reloads: how often it, or a file that it names, was read again.',
    unit: 'short',
    targets: [
      promRange(`coturn_exporter_web_config_good{${EXPORTER}}`, '{{instance}} good'),
      promRange(`sum by (instance, result) (${reloads})`, '{{instance}} reload {{result}}'),
    ],
  });
}
