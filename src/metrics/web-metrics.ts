import { registerCounter, registerGauge } from './live-metric.ts';
import type { MetricsRegistry } from './registry.ts';

/** Why a request or a connection was turned away; the `reason` label. */
export const REFUSAL_REASONS = [
  'busy',
  'connections',
  'pipelined',
  'rate_limit',
  'slow',
  'unauthorized',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** What is counted about the HTTP server. Numbers grow only, but for `connections`. */
export class WebStats {
  readonly refused: Record<RefusalReason, number> = {
    busy: 0,
    connections: 0,
    pipelined: 0,
    rate_limit: 0,
    slow: 0,
    unauthorized: 0,
  };
  /** Open now. */
  connections = 0;
  /** Readings of `--web.config.file` after the first. */
  readonly reloads: Record<'success' | 'failed', number> = { success: 0, failed: 0 };
  /** False while the file on disk cannot be used, and what was read before holds. */
  isConfigGood = true;
}

/** Registers what is known of the HTTP server and its `--web.config.file`. */
export function registerWebMetrics(registry: MetricsRegistry, web: WebStats): void {
  registerGauge(registry, {
    name: 'coturn_exporter_web_connections',
    help: 'Open connections to the HTTP server.',
    labels: [],
    read: () => [[{}, web.connections]],
  });
  registerCounter(registry, {
    name: 'coturn_exporter_web_refused_total',
    help: 'HTTP requests and connections refused, by reason: too many at a time, too slow, no valid login.',
    labels: ['reason'],
    *read() {
      for (const [reason, count] of Object.entries(web.refused)) yield [{ reason }, count];
    },
  });
  registerGauge(registry, {
    name: 'coturn_exporter_web_config_good',
    help: '1 while the file of --web.config.file on disk is the one in use; 0 when it cannot be used and the one before holds.',
    labels: [],
    read: () => [[{}, web.isConfigGood ? 1 : 0]],
  });
  registerCounter(registry, {
    name: 'coturn_exporter_web_config_reloads_total',
    help: 'Readings of a changed --web.config.file, or of a changed file that it names.',
    labels: ['result'],
    *read() {
      for (const [result, count] of Object.entries(web.reloads)) yield [{ result }, count];
    },
  });
}
