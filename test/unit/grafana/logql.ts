import { parser } from '@grafana/lezer-logql';
import { RECORD_FIELDS } from '../../../src/domain/session-record.ts';

/** Labels that `deploy/alloy/config.alloy` sets, the `realm` among them, and Loki's own. */
export const STREAM_LABELS = ['service_name', 'job', 'instance', 'event', 'realm'];
const OF_LOKI = ['__error__'];
/** What the dashboards' own queries make of the fields. */
const OF_QUERIES = ['is_user'];

/** What the tests look at in a LogQL expression. */
export interface ParsedLogQl {
  /** Texts of the places that the grammar does not know. */
  readonly errors: readonly string[];
  /** Labels in stream selectors. */
  readonly streamLabels: ReadonlySet<string>;
  /** Labels in filters, `unwrap` and groupings. */
  readonly fields: ReadonlySet<string>;
  /** For each `| json`: the texts of the `|=` filters that stand before it. */
  readonly filtersBeforeJson: readonly (readonly string[])[];
  /** Texts of the windows: "5m". */
  readonly windows: readonly string[];
}

/** Reads a LogQL expression, its variables replaced, with Grafana's grammar. */
export function parseLogQl(expr: string): ParsedLogQl {
  const errors: string[] = [];
  const streamLabels = new Set<string>();
  const fields = new Set<string>();
  const filtersBeforeJson: string[][] = [];
  const windows: string[] = [];
  let filters: string[] = [];
  const path: string[] = [];
  parser.parse(expr).iterate({
    enter({ type, from, to }) {
      const text = expr.slice(from, to);
      if (type.isError) errors.push(`"${text}" at ${from}`);
      if (type.name === 'Selector') filters = [];
      if (type.name === 'LineFilter' && text.startsWith('|=')) filters.push(text);
      if (type.name === 'Json') filtersBeforeJson.push([...filters]);
      if (type.name === 'Duration') windows.push(text);
      if (type.name === 'Identifier') (path.includes('Selector') ? streamLabels : fields).add(text);
      path.push(type.name);
    },
    leave() {
      path.pop();
    },
  });
  return { errors, streamLabels, fields, filtersBeforeJson, windows };
}

/** The names of the fields of a record, as the code defines them, and those that pino adds. */
export function recordFields(): Set<string> {
  return new Set([...Object.keys(RECORD_FIELDS), 'level', 'time', 'replica']);
}

/** Whether a query may name this as a field: of records, of streams, or Loki's own. */
export function isQueryable(name: string): boolean {
  const names = [...recordFields(), ...STREAM_LABELS, ...OF_LOKI, ...OF_QUERIES];
  return names.includes(name) || name.startsWith('attr_');
}
