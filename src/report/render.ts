import type { BillResult, BillRow } from './bill.ts';

/** How a bill can be written. */
export const BILL_FORMATS = ['table', 'csv', 'json', 'markdown'] as const;
export type BillFormat = (typeof BILL_FORMATS)[number];

/** What a bill says besides its numbers. */
export interface BillTexts {
  /** Of the bill, in words: its time and its rows. */
  readonly title: string;
  /** What a reader has to know to trust it, a sentence each. */
  readonly notes: readonly string[];
}

/** One number of a row: its names for machines and for people, and how each reads it. */
interface Column {
  readonly name: string;
  readonly machine: (row: BillRow) => string;
  /** Absent: only machines get it. */
  readonly title?: string;
  readonly people?: (row: BillRow) => string;
}

const GIGA = 9;
const COLUMNS: readonly Column[] = [
  whole('sessions', ({ sessions }) => sessions, 'sessions'),
  whole('relayed_sessions', ({ relayed }) => relayed),
  whole('direct_sessions', ({ direct }) => direct),
  whole('unknown_sessions', ({ unknown }) => unknown),
  { name: 'relayed_share', machine: (row) => share(row, 4), title: 'relayed', people: percent },
  decimal('minutes', { digits: 3, title: 'minutes' }, ({ durationMs }) => durationMs / 60n),
  decimal('relayed_minutes', { digits: 3 }, ({ relayedMs }) => relayedMs / 60n),
  decimal('billed_gb', { digits: GIGA, title: 'GB' }, ({ billedBytes }) => billedBytes),
  whole('billed_bytes', ({ billedBytes }) => billedBytes),
  whole('received_bytes', ({ receivedBytes }) => receivedBytes),
  whole('sent_bytes', ({ sentBytes }) => sentBytes),
  whole('peer_received_bytes', ({ peerReceivedBytes }) => peerReceivedBytes),
  whole('peer_sent_bytes', ({ peerSentBytes }) => peerSentBytes),
  people('GB from clients', ({ receivedBytes }) => receivedBytes),
  people('GB to clients', ({ sentBytes }) => sentBytes),
  {
    name: 'p95_mbit_per_second',
    machine: ({ p95BitsPerSecond }) => (p95BitsPerSecond / 1e6).toFixed(6),
    title: 'p95 Mbit/s',
    people: ({ p95BitsPerSecond }) => (p95BitsPerSecond / 1e6).toFixed(3),
  },
  whole('incomplete_sessions', ({ incomplete }) => incomplete, 'incomplete'),
  whole('incomplete_bytes', ({ incompleteBytes }) => incompleteBytes),
  whole('start_unknown_sessions', ({ startUnknown }) => startUnknown),
  whole('uncertain_bytes', ({ uncertainBytes }) => uncertainBytes),
];
const FOR_MACHINES = COLUMNS.filter(({ name }) => name !== '');
const FOR_PEOPLE = COLUMNS.filter(({ title }) => title !== undefined);

/** A bill in a format, in pieces that together end in a line break. */
export function renderBill(
  bill: BillResult,
  format: BillFormat,
  texts: BillTexts,
): Iterable<string> {
  switch (format) {
    case 'csv':
      return renderCsv(bill);
    case 'json':
      return renderJson(bill, texts);
    case 'markdown':
      return renderMarkdown(bill, texts);
    case 'table':
      return renderTable(bill, texts);
  }
}

function* renderCsv({ columns, rows }: BillResult): Generator<string> {
  yield `${[...columns, ...FOR_MACHINES.map(({ name }) => name)].join(',')}\n`;
  for (const row of rows) {
    const numbers = FOR_MACHINES.map(({ machine }) => machine(row));
    yield `${[...row.keys.map(csvText), ...numbers].join(',')}\n`;
  }
}

/**
 * A text as a cell of CSV that no spreadsheet takes for a formula: `=`, `+`, `-` or `@` gets an
 * apostrophe in front where a cell may begin, also in a program that splits at `;` or tabs.
 * Source: OWASP, "CSV Injection".
 */
export function csvText(text: string): string {
  const harmless = text.replace(
    /(^|[,;|\t\r\n])((?:["']|(?![\t\r\n])[\s\p{Cc}\p{Cf}])*)([=+\-@\uFF1D\uFF0B\uFF0D\uFF20])/gu,
    "$1'$2$3",
  );
  const begun = /^[\t\r]/.test(harmless) ? `'${harmless}` : harmless;
  return `"${begun.replaceAll('"', '""')}"`;
}

function* renderJson({ columns, rows, total }: BillResult, texts: BillTexts): Generator<string> {
  yield `{"schema":1,"title":${JSON.stringify(texts.title)},"rows":[`;
  let separator = '\n';
  for (const row of rows) {
    const keys = columns.map(
      (column, at) => `${JSON.stringify(column)}:${JSON.stringify(row.keys[at])}`,
    );
    yield `${separator}{${[...keys, ...jsonNumbers(row)].join(',')}}`;
    separator = ',\n';
  }
  yield `],\n"total":{${jsonNumbers(total).join(',')}},\n`;
  yield `"notes":${JSON.stringify(texts.notes)}}\n`;
}

/** Sums are written in full: a reader with 53 bits rounds them, one with more does not. */
function jsonNumbers(row: BillRow): string[] {
  return FOR_MACHINES.map(({ name, machine }) => `"${name}":${machine(row) || 'null'}`);
}

function* renderMarkdown(bill: BillResult, texts: BillTexts): Generator<string> {
  const head = titlesOf(bill);
  yield `# ${texts.title}\n\n`;
  yield `| ${head.join(' | ')} |\n`;
  yield `| ${head.map((_, at) => (at < bill.columns.length ? '---' : '---:')).join(' | ')} |\n`;
  for (const cells of cellsOf(bill, markdownText)) yield `| ${cells.join(' | ')} |\n`;
  if (texts.notes.length > 0) yield '\n';
  for (const note of texts.notes) yield `- ${note}\n`;
}

function* renderTable(bill: BillResult, texts: BillTexts): Generator<string> {
  const head = titlesOf(bill);
  const widths = head.map((title) => title.length);
  for (const cells of cellsOf(bill, plainText)) {
    for (const [at, cell] of cells.entries()) {
      widths[at] = Math.max(widths[at] ?? 0, [...cell].length);
    }
  }
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, at) => {
      const space = ' '.repeat(Math.max(0, (widths[at] ?? 0) - [...cell].length));
      return at < bill.columns.length ? cell + space : space + cell;
    });
    return `${padded.join('  ').trimEnd()}\n`;
  };
  yield `${texts.title}\n\n`;
  yield line(head);
  yield line(widths.map((width) => '-'.repeat(width)));
  for (const cells of cellsOf(bill, plainText)) yield line(cells);
  if (texts.notes.length > 0) yield '\n';
  for (const note of texts.notes) yield `${note}\n`;
}

function titlesOf({ columns }: BillResult): string[] {
  return [...columns, ...FOR_PEOPLE.map(({ title = '' }) => title)];
}

/** Row by row what people read, the total last. */
function* cellsOf(
  { columns, rows, total }: BillResult,
  text: (key: string) => string,
): Generator<string[], undefined> {
  const numbers = (row: BillRow): string[] =>
    FOR_PEOPLE.map((column) => column.people?.(row) ?? '');
  for (const row of rows) yield [...row.keys.map(text), ...numbers(row)];
  yield [...columns.map((_, at) => (at === 0 ? 'total' : '')), ...numbers(total)];
  return undefined;
}

/** A name that cannot move the cursor of a terminal or break a line. */
export function plainText(text: string): string {
  if (text === '') return '""';
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

function markdownText(text: string): string {
  return plainText(text).replace(/[\\`*_{}[\]()<>#|~&!]/g, '\\$&');
}

function whole(name: string, value: (row: BillRow) => number | bigint, title?: string): Column {
  const written = (row: BillRow): string => String(value(row));
  return title === undefined
    ? { name, machine: written }
    : { name, machine: written, title, people: written };
}

/** A decimal number: `value` without its last `digits`, which follow the point; people get three. */
function decimal(
  name: string,
  { digits, title }: { readonly digits: number; readonly title?: string },
  value: (row: BillRow) => bigint,
): Column {
  const machine = (row: BillRow): string => withPoint(value(row), digits);
  return title === undefined
    ? { name, machine }
    : { name, machine, title, people: (row) => rounded(value(row), digits) };
}

function people(title: string, value: (row: BillRow) => bigint): Column {
  return { name: '', machine: () => '', title, people: (row) => rounded(value(row), GIGA) };
}

/** `1234567890` with 9 digits → `1.234567890` */
export function withPoint(value: bigint, digits: number): string {
  const text = String(value).padStart(digits + 1, '0');
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** The same with three digits after the point. */
function rounded(value: bigint, digits: number): string {
  const unit = 10n ** BigInt(digits - 3);
  return withPoint((value + unit / 2n) / unit, 3);
}

/** Relayed sessions among those of which it is known; empty when of none. */
function share({ relayed, direct }: BillRow, digits: number): string {
  return relayed + direct === 0 ? '' : (relayed / (relayed + direct)).toFixed(digits);
}

function percent({ relayed, direct }: BillRow): string {
  const known = relayed + direct;
  return known === 0 ? '-' : `${((relayed / known) * 100).toFixed(1)} %`;
}
