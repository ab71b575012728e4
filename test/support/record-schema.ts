import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';

const FILE = new URL('../../docs/session-record.schema.json', import.meta.url);
const schema: object = JSON.parse(readFileSync(FILE, 'utf8'));

/** Here no field passes that the schema does not name: it would be one that nobody documented. */
const validate = new Ajv().compile({ ...schema, additionalProperties: false });

/** Throws where a session record is not what the shipped JSON Schema says; all else passes. */
export function checkRecord(value: Readonly<Record<string, unknown>>): void {
  if (value['event'] !== 'session_finished' || validate(value)) return;
  const problems = validate.errors?.map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
  throw new Error(`Not by the schema: ${problems?.join('; ')}\n${JSON.stringify(value)}`);
}
