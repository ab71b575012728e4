import { END_REASONS } from '../src/domain/ledger.ts';
import { RECORD_SCHEMA } from '../src/domain/session-record.ts';
import { RECORD_MEANINGS } from './generated-tables.ts';

/** A JSON Schema, as far as records need it. */
type Schema = Readonly<Record<string, unknown>>;

/** Where `npm run docs` writes the schema, in this folder; the package holds it. */
export const RECORD_SCHEMA_FILE = 'session-record.schema.json';

const WHOLE: Schema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const SECONDS: Schema = { type: 'number', minimum: 0 };
const FLAG: Schema = { type: 'boolean' };
const TEXT: Schema = { type: 'string' };
const TIME: Schema = {
  type: 'string',
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$',
};

/** Fields whose names do not tell what they hold. */
const TYPES: Readonly<Record<string, Schema>> = {
  level: { const: 'info' },
  time: TIME,
  event: { const: 'session_finished' },
  schema: { const: RECORD_SCHEMA },
  session_id: { type: 'string', minLength: 1 },
  start: TIME,
  end: TIME,
  reason: { enum: END_REASONS },
  relayed: { type: ['boolean', 'null'] },
  complete: FLAG,
  start_known: FLAG,
  allocations: WHOLE,
};

/** What the first version wrote in every record; what was added since may be missing. */
const SINCE_FIRST: ReadonlySet<string> = new Set([
  ...['level', 'time', 'event', 'schema', 'session_id', 'realm', 'user', 'username', 'server'],
  ...['start', 'end', 'duration_seconds', 'reason', 'relayed', 'complete', 'start_known'],
  ...['allocations', 'transport', 'tls', 'received_bytes', 'sent_bytes'],
  ...['received_packets', 'sent_packets', 'peer_received_bytes', 'peer_sent_bytes'],
  ...['peer_received_packets', 'peer_sent_packets', 'missed_bytes'],
]);

/** The JSON Schema of a session record (draft 7), as text. Fields may be added, so others pass. */
export function renderRecordSchema(): string {
  const fields = Object.entries(RECORD_MEANINGS);
  const properties = fields.map(([name, description]) => [
    name,
    { description, ...(TYPES[name] ?? typeOf(name)) },
  ]);
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'coturn-exporter session record',
    type: 'object',
    required: fields.map(([name]) => name).filter((name) => SINCE_FIRST.has(name)),
    properties: Object.fromEntries(properties),
    patternProperties: { '^attr_': { type: 'string', description: 'a group of `--user.pattern`' } },
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

function typeOf(name: string): Schema {
  if (/(?:_bytes|_packets|_allocations)$/.test(name)) return WHOLE;
  return name.endsWith('_seconds') ? SECONDS : TEXT;
}
