/** Values for the variables that Grafana replaces in a query before it sends it. */
export type VariableValues = Readonly<Record<string, string>>;

/** What stands for "All", for an empty text box, and for Grafana's own windows. */
export const DEFAULT_VALUES: VariableValues = {
  job: '.+',
  instance: '.+',
  realm: '.*',
  server: '.*',
  source: '.*',
  user: '',
  session: '',
  turn_server: '',
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
    return format === 'regex' ? value.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`) : value;
  });
}

/** The names of the variables in a query. */
export function variablesIn(expr: string): Set<string> {
  return new Set([...expr.matchAll(VARIABLE)].map((match) => match[1] ?? match[3] ?? ''));
}

const VARIABLE = /\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g;
