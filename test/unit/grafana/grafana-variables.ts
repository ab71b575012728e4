/** Values for the variables that Grafana replaces in a query before it sends it. */
export type VariableValues = Readonly<Record<string, string>>;

/** What stands for "All", for an empty text box, and for Grafana's own windows. */
export const DEFAULT_VALUES: VariableValues = {
  job: '.+',
  cluster: '.*',
  instance: '.+',
  realm: '.*',
  server: '.*',
  source: '.*',
  match: 'contains',
  price: '0.05',
  user: '',
  session: '',
  turn_server: '',
  records_replica: '',
  __rate_interval: '5m',
  __auto: '5m',
  __range: '1h',
};

/**
 * The query with all variables replaced: `$name`, `${name}` and `${name:format}`. Throws on a
 * variable that is unknown, because Grafana would send it as it is.
 */
export function substitute(expr: string, values: VariableValues = DEFAULT_VALUES): string {
  return expr.replaceAll(VARIABLE, (_, braced?: string, format?: string, plain?: string) => {
    const name = braced ?? plain ?? '';
    const value = values[name];
    if (value === undefined) throw new RangeError(`Unknown variable "${name}" in: ${expr}`);
    if (format === 'percentencode') return percentEncode(value);
    return format === 'regex' ? value.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`) : value;
  });
}

/** As Grafana's `percentencode` does: all but letters, digits and `-_.~`. */
function percentEncode(value: string): string {
  return encodeURIComponent(value).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The names of the variables in a query. */
export function variablesIn(expr: string): Set<string> {
  return new Set([...expr.matchAll(VARIABLE)].map((match) => match[1] ?? match[3] ?? ''));
}

const VARIABLE = /\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g;
