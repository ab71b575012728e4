/**
 * The session records in Loki, as LogQL. `deploy/alloy/config.alloy` sets the labels of the
 * selector; the line filters come before `| json`, so that Loki parses only what can match.
 */
const STREAM = '{service_name="coturn-exporter", event="session_finished", realm=~"$realm"}';
const LINES = `|= \`session_finished\` |= \`${text('session', 'raw')}\``;

/** What the variable `match` stands for: a function of Go's templates. */
export const CONTAINS = 'contains';
export const EXACTLY = 'eq';

// User names are chosen outside and may hold quotes, backticks and line feeds, which no way of
// quoting a Grafana variable survives: the name goes into the query percent-encoded, and Loki's
// template decodes and compares it. An empty box matches everybody, or, exactly, the empty name.
const WANTED = `urldecode "${text('user', 'percentencode')}"`;
const IS_USER = `| label_format is_user=\`{{ ${text('match', 'raw')} (${WANTED}) .user }}\` | is_user="true"`;
// The line filter finds the text anywhere in the record; these look at the right field.
const FIELDS: string = [
  `session_id=~\`(?s).*${text('session', 'regex')}.*\``,
  `server=~\`(?s).*${text('turn_server', 'regex')}.*\``,
  `replica=~\`(?s)${text('records_replica', 'regex')}.*\``,
].join(' | ');

/** The chosen records with their fields as labels, and only those that pass `filter`. */
export function records(filter = ''): string {
  return `${STREAM} ${LINES} | json ${IS_USER} | ${FIELDS}${filter === '' ? '' : ` | ${filter}`}`;
}

/** The chosen records that hold `text` literally, found without parsing the others. */
export function recordsWith(text: string): string {
  return `${STREAM} ${LINES} |= \`${text}\` | json ${IS_USER} | ${FIELDS}`;
}

/** Which records, in windows of what length (`$__auto`, `$__range`), and by which labels. */
export interface Grouping {
  readonly window: string;
  /** Labels joined by commas; one number for all records when left out. */
  readonly by?: string;
  readonly filter?: string;
}

/** How many records there are. */
export function countRecords(grouping: Grouping): string {
  return `${sum(grouping)} (count_over_time(${records(grouping.filter)} [${grouping.window}]))`;
}

/** The sum of a numeric field over the records. */
export function sumField(field: string, grouping: Grouping): string {
  const unwrapped = unwrap(field, grouping.filter);
  return `${sum(grouping)} (sum_over_time(${unwrapped} [${grouping.window}]))`;
}

/** The records with the greatest `field` of the range, one series each. */
export function topRecords(field: string, count: number): string {
  const range = `max_over_time(${unwrap(field)} [$__range])`;
  return `topk(${count}, ${range} by (session_id, user, realm, reason))`;
}

function unwrap(field: string, filter?: string): string {
  return `${records(filter)} | unwrap ${field} | __error__=""`;
}

/** What was typed into a text box, in one of Grafana's formats. */
function text(variable: string, format: 'raw' | 'regex' | 'percentencode'): string {
  return `\${${variable}:${format}}`;
}

function sum({ by }: Grouping): string {
  return by === undefined ? 'sum' : `sum by (${by})`;
}
