import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { MetricsRegistry } from './registry.ts';

/** The formats that a scrape can ask for. */
export type ExpositionFormat = 'text' | 'openmetrics';

/** `Content-Type` by format. */
export const CONTENT_TYPES: Record<ExpositionFormat, string> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** Ends an OpenMetrics exposition. */
export const OPENMETRICS_END = '# EOF\n';

/**
 * A value as prom-client hands it out. Its own serialiser cannot show one registry in both formats
 * (it renames the counters for good), so we write the text from its numbers.
 */
interface ShownValue extends MetricValue<string> {
  readonly metricName?: string;
  readonly exemplar?: {
    readonly labelSet: Record<string, string>;
    readonly value: number;
    /** Unix time in seconds. */
    readonly timestamp: number;
  } | null;
}

/** The text of every metric in a registry, without {@link OPENMETRICS_END}. */
export async function renderRegistry(
  registry: MetricsRegistry,
  format: ExpositionFormat,
): Promise<string> {
  const families = await registry.getMetricsAsJSON();
  return families
    .map((family) => renderFamily(family as MetricObjectWithValues<ShownValue>, format))
    .join('');
}

/** The text of one metric. In OpenMetrics the `_total` of a counter is of its series only. */
function renderFamily(
  family: MetricObjectWithValues<ShownValue>,
  format: ExpositionFormat,
): string {
  // prom-client's typings say that this is an enum of numbers; it is the word itself.
  const type = String(family.type);
  const isOpenCounter = format === 'openmetrics' && type === 'counter';
  const name = isOpenCounter ? family.name.replace(/_total$/, '') : family.name;
  let text = `# HELP ${name} ${escapeHelp(family.help, format)}\n# TYPE ${name} ${type}\n`;
  for (const value of family.values) {
    text += `${value.metricName ?? family.name}${renderLabels(value.labels)} ${renderNumber(value.value)}`;
    if (format === 'openmetrics' && value.exemplar) {
      const { labelSet, value: seen, timestamp } = value.exemplar;
      text += ` # ${renderLabels(labelSet) || '{}'} ${renderNumber(seen)} ${timestamp}`;
    }
    text += '\n';
  }
  return text;
}

function renderLabels(labels: Partial<Record<string, string | number>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${escapeLabelValue(String(value))}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function renderNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

/** A label value as both formats want it: backslash, double quote and line feed escaped. */
export function escapeLabelValue(value: string): string {
  // Most values need nothing, and this is asked half a million times in a large scrape.
  if (!SPECIAL.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

const SPECIAL = /[\\"\n]/;

function escapeHelp(help: string, format: ExpositionFormat): string {
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return format === 'openmetrics' ? escaped.replaceAll('"', '\\"') : escaped;
}
