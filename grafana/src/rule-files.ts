import { Document, isMap, isSeq, stringify } from 'yaml';
import type { RenderedMixin, RuleGroup } from './mixin.ts';

const GENERATED =
  ' Made from grafana/mixin by `npm run dashboards`, where the comments are. What may be edited here\n are the limits of the installation.';
const LINE = 98;
/** In the order in which people write them; jsonnet sorts by name. */
const KEYS = ['record', 'alert', 'expr', 'for', 'labels', 'annotations'];

/** The recording rules as a rule file of Prometheus; each limit has its explanation above it. */
export function toRecordingRules({ rules, limits }: RenderedMixin): string {
  const document = new Document({ groups: rules.map(inOrder) });
  document.commentBefore = `${GENERATED}\n\n Recording rules of coturn-exporter. Check: promtool check rules deploy/prometheus/*.yml\n A limit of one server is a rule more with the same name, \`labels: { server: NAME }\` and its value.`;
  const groups = document.get('groups');
  for (const group of isSeq(groups) ? groups.items : []) {
    const list = isMap(group) ? group.get('rules') : undefined;
    for (const rule of isSeq(list) ? list.items : []) {
      const name = isMap(rule) ? rule.get('record') : undefined;
      const help = limits[String(name)]?.help;
      if (help !== undefined && isMap(rule) && !rule.has('labels')) rule.commentBefore = wrap(help);
    }
  }
  return print(document);
}

/** The alerts as a rule file of Prometheus, which needs the recording rules. */
export function toAlerts({ alerts }: RenderedMixin): string {
  const document = new Document({ groups: alerts.map(inOrder) });
  document.commentBefore = ` Made from grafana/mixin by \`npm run dashboards\`, where the comments are.\n\n Alerts of coturn-exporter. What to do about each: docs/runbook.md. Needs recording-rules.yml.\n Tests: promtool test rules deploy/prometheus/tests/*.yml`;
  return print(document);
}

/**
 * All rules as one PrometheusRule of the Prometheus operator, which takes rules only inside its own
 * resource.
 */
export function toPrometheusRule({ rules, alerts }: RenderedMixin): string {
  const groups: readonly RuleGroup[] = [...rules, ...alerts].map(inOrder);
  const rule = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'coturn-exporter' },
    spec: { groups },
  };
  return `# Made from grafana/mixin by \`npm run dashboards\`: edit there, then run it.\n${stringify(rule, { lineWidth: 0 })}`;
}

function inOrder({ name, rules }: RuleGroup): RuleGroup {
  const sorted = rules.map((rule) =>
    Object.fromEntries(KEYS.filter((key) => key in rule).map((key) => [key, rule[key]])),
  );
  return { name, rules: sorted };
}

function print(document: Document): string {
  return document.toString({ lineWidth: 0 });
}

/** Lines of a comment, each with the space that stands after `#`. */
function wrap(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last.length + word.length + 8 > LINE) lines.push(` ${word}`);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join('\n');
}
