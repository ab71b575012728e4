export type Labels = Readonly<Record<string, string>>;

/** One line of a scrape. */
export interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/** A scrape, read. */
export interface Exposition {
  readonly text: string;
  readonly samples: readonly Sample[];
  /** Metric name to what its `# TYPE` line says. */
  readonly types: ReadonlyMap<string, string>;
  /** The samples with this name and, among others, these labels. */
  select(name: string, labels?: Labels): Sample[];
  /** The sum over `select`; 0 when there is none. */
  sum(name: string, labels?: Labels): number;
  /** The value of the one sample selected; undefined when there is none, throws when several. */
  value(name: string, labels?: Labels): number | undefined;
}

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL_NAME = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const VALUE = / +([^ ]+)(?: +-?\d+)?$/y;

/** Reads Prometheus' text format 0.0.4. Throws on a line that is none of it. */
export function parseExposition(text: string): Exposition {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (!line.startsWith('#')) {
      samples.push(parseSample(line));
      continue;
    }
    const [, keyword, name, type] = line.split(' ');
    if (keyword === 'TYPE' && name !== undefined && type !== undefined) types.set(name, type);
  }
  return new ParsedExposition(text, samples, types);
}

class ParsedExposition implements Exposition {
  readonly text: string;
  readonly samples: readonly Sample[];
  readonly types: ReadonlyMap<string, string>;

  constructor(text: string, samples: readonly Sample[], types: ReadonlyMap<string, string>) {
    this.text = text;
    this.samples = samples;
    this.types = types;
  }

  select(name: string, labels: Labels = {}): Sample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter(
      (sample) =>
        sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    );
  }

  sum(name: string, labels: Labels = {}): number {
    return this.select(name, labels).reduce((sum, sample) => sum + sample.value, 0);
  }

  value(name: string, labels: Labels = {}): number | undefined {
    const selected = this.select(name, labels);
    if (selected.length > 1) {
      throw new Error(`${name}${JSON.stringify(labels)} selects ${selected.length} samples`);
    }
    return selected[0]?.value;
  }
}

/** `coturn_sessions{realm="a\"b"} 3` */
function parseSample(line: string): Sample {
  const cursor = { line, at: 0 };
  const name = take(cursor, NAME)[0];
  const labels: Record<string, string> = Object.create(null);
  if (line[cursor.at] === '{') {
    cursor.at += 1;
    while (line[cursor.at] !== '}') {
      const label = take(cursor, LABEL_NAME)[0];
      takeText(cursor, '="');
      labels[label] = takeLabelValue(cursor);
      if (line[cursor.at] === ',') cursor.at += 1;
      else if (line[cursor.at] !== '}') throw unreadable(cursor);
    }
    cursor.at += 1;
  }
  const value = take(cursor, VALUE)[1];
  return { name, labels: { ...labels }, value: parseValue(value ?? '', cursor) };
}

interface Cursor {
  readonly line: string;
  at: number;
}

function take(cursor: Cursor, pattern: RegExp): RegExpExecArray {
  pattern.lastIndex = cursor.at;
  const match = pattern.exec(cursor.line);
  if (match === null) throw unreadable(cursor);
  cursor.at = pattern.lastIndex;
  return match;
}

function takeText(cursor: Cursor, text: string): void {
  if (!cursor.line.startsWith(text, cursor.at)) throw unreadable(cursor);
  cursor.at += text.length;
}

/** Up to the closing quote, which it takes too; undoes `\\`, `\"` and `\n`. */
function takeLabelValue(cursor: Cursor): string {
  let value = '';
  for (;;) {
    const character = cursor.line[cursor.at];
    if (character === undefined) throw unreadable(cursor);
    cursor.at += 1;
    if (character === '"') return value;
    if (character !== '\\') {
      value += character;
      continue;
    }
    const escaped = cursor.line[cursor.at];
    if (escaped !== '\\' && escaped !== '"' && escaped !== 'n') throw unreadable(cursor);
    value += escaped === 'n' ? '\n' : escaped;
    cursor.at += 1;
  }
}

function parseValue(text: string, cursor: Cursor): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  if (text === 'NaN') return Number.NaN;
  const value = Number(text);
  if (text === '' || Number.isNaN(value)) throw unreadable(cursor);
  return value;
}

function unreadable(cursor: Cursor): SyntaxError {
  return new SyntaxError(`Cannot read exposition at column ${cursor.at + 1}: ${cursor.line}`);
}
