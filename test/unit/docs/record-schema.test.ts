import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RECORD_SCHEMA_FILE, renderRecordSchema } from '../../../docs/record-schema.ts';
import { checkRecord } from '../../support/record-schema.ts';
import { recordLine } from '../report/records.ts';

const ROOT = new URL('../../../', import.meta.url);

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

describe('the JSON Schema of a record', () => {
  it('is what the code says (npm run docs), and in the package', () => {
    const path = `docs/${RECORD_SCHEMA_FILE}`;
    expect(read(path)).toBe(renderRecordSchema());
    const { files, exports } = JSON.parse(read('package.json'));
    expect(files).toContain(path);
    expect(exports[`./${RECORD_SCHEMA_FILE}`]).toBe(`./${path}`);
  });

  it('takes a record', () => {
    checkRecord(JSON.parse(recordLine({ relayed: null, attr_tenant: '26e4' })));
    checkRecord({ event: 'something_else' });
  });

  it.each([
    [{ received_bytes: -1 }, '/received_bytes must be >= 0'],
    [{ received_bytes: 1.5 }, '/received_bytes must be integer'],
    [{ received_bytes: 2 ** 53 }, '/received_bytes must be <='],
    [{ relayed: 'unknown' }, '/relayed must be boolean,null'],
    [{ start: '2026-10-05 09:00:00' }, '/start must match pattern'],
    [{ reason: 'tired' }, '/reason must be equal to one of the allowed values'],
    [{ schema: 2 }, '/schema must be equal to constant'],
    [{ realm: undefined }, "must have required property 'realm'"],
    [{ mood: 'good' }, 'must NOT have additional properties {"additionalProperty":"mood"}'],
  ])('refuses %j', (fields, message) => {
    expect(() => checkRecord(JSON.parse(recordLine(fields)))).toThrow(message);
  });
});
