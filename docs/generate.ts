import { readFileSync, writeFileSync } from 'node:fs';
import { fillTable, GENERATED_TABLES } from './generated-tables.ts';
import { RECORD_SCHEMA_FILE, renderRecordSchema } from './record-schema.ts';

for (const table of GENERATED_TABLES) {
  const document = new URL(table.file, import.meta.url);
  writeFileSync(document, fillTable(readFileSync(document, 'utf8'), table));
}
writeFileSync(new URL(RECORD_SCHEMA_FILE, import.meta.url), renderRecordSchema());
