import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { ConfigError } from '../config/config-error.ts';
import {
  type OptionTable,
  parseOptions,
  renderOptions,
  splitArguments,
} from '../config/option-parser.ts';
import { choice, type ValueType } from '../config/values.ts';
import { BILL_KEYS, type BillKey, isoTime } from '../report/bill.ts';
import { findInputFiles, STDIN_ARGUMENT } from '../report/input-files.ts';
import { renderNotes } from '../report/notes.ts';
import { Progress } from '../report/progress.ts';
import { BILL_FORMATS, type BillFormat, plainText, renderBill } from '../report/render.ts';
import { type Report, ReportError, runReport } from '../report/run-report.ts';

/** What `report` gets from the process it runs in. */
export interface ReportContext {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Ends the reading; there is no bill then. */
  readonly signal: AbortSignal;
}

/** The values of {@link REPORT_OPTIONS}, by flag. */
export interface ReportValues {
  readonly by: BillKeys;
  /** Unix time in ms. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly format: BillFormat;
  readonly 'skip-bad-lines': boolean;
  readonly help: boolean;
}

/** Keys given in one value. */
export interface BillKeys {
  readonly keys: readonly BillKey[];
}

/** Messages about single lines before the rest is only counted. */
const MAX_MESSAGES = 10;

/** `user,day` */
const KEYS: ValueType<BillKeys> = {
  placeholder: 'KEYS',
  expected: `one or more of ${BILL_KEYS.join(', ')}, separated by commas`,
  parse: (text) => {
    const names = text.split(',').map((name) => name.trim());
    const keys = BILL_KEYS.filter((key) => names.includes(key));
    const isKnown = names.every((name) => keys.some((key) => key === name));
    const inOrder = [...keys].sort((left, right) => names.indexOf(left) - names.indexOf(right));
    return isKnown && text !== '' ? { ok: true, value: { keys: inOrder } } : { ok: false };
  },
};

/** `2026-10`, `2026-10-05` or `2026-10-05T12:00:00Z` → Unix time in ms. */
const MOMENT: ValueType<number> = {
  placeholder: 'TIME',
  expected: 'a month, a day or a time of UTC such as 2026-10, 2026-10-05 or 2026-10-05T12:00:00Z',
  parse: (text) => {
    const isTime =
      /^\d{4}-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?)?$/;
    const ms = isTime.test(text) ? Date.parse(text) : Number.NaN;
    // Date.parse takes the 31st of any month for a day of the next.
    const isReal = text.length > 10 || isoTime(ms)?.startsWith(text) === true;
    return Number.isNaN(ms) || !isReal ? { ok: false } : { ok: true, value: ms };
  },
};

/** The one definition of every flag of `report`, and of its help. */
export const REPORT_OPTIONS: OptionTable<ReportValues> = {
  by: {
    kind: 'single',
    type: KEYS,
    default: 'user',
    help: `What makes a row: ${BILL_KEYS.join(', ')}, one or several such as month,user. A user is always shown with its realm. Days and months are those of UTC in which a session ended.`,
  },
  from: {
    kind: 'single',
    type: MOMENT,
    defaultHelp: 'the first record',
    help: 'Count sessions that ended from here on: a month, a day or a time of UTC such as 2026-10, 2026-10-05 or 2026-10-05T12:00:00Z.',
  },
  to: {
    kind: 'single',
    type: MOMENT,
    defaultHelp: 'the last record',
    help: 'Count sessions that ended before it; 2026-11 ends October.',
  },
  format: {
    kind: 'single',
    type: choice(BILL_FORMATS),
    default: 'table',
    help: 'How to print it. csv is safe to open in a spreadsheet and has no total; json has all numbers.',
  },
  'skip-bad-lines': {
    kind: 'switch',
    help: 'End with exit code 0 also when lines could not be read.',
  },
  help: { kind: 'switch', help: 'Print this text, then exit.' },
};

/**
 * Runs `report`: prints the bill of record files to `stdout`, messages and progress to `stderr`.
 *
 * @param argv the arguments after `report`
 * @returns the exit code: 0, or 1 when something could not be read or there is no bill
 * @throws {ConfigError} on flags and files that cannot be used
 */
export async function runReportCommand(
  argv: readonly string[],
  context: ReportContext,
): Promise<number> {
  const { flags, names } = splitArguments(REPORT_OPTIONS, argv);
  const values = parseOptions(REPORT_OPTIONS, flags);
  const { stdout, stderr } = context;
  if (values.help) {
    stdout.write(helpText());
    return 0;
  }
  if (values.from !== undefined && values.to !== undefined && values.from >= values.to) {
    throw new ConfigError('Cannot use --from and --to: expected --to after --from');
  }
  try {
    const report = await readReport(values, findFiles(names, context.stdin), context);
    const notes = renderNotes(report);
    const texts = { title: titleOf(values), notes };
    await writeAll(stdout, renderBill(report, values.format, texts));
    // What people have to know is no row of CSV.
    if (values.format === 'csv') for (const note of notes) stderr.write(`${note}\n`);
    return report.problems > 0 && !values['skip-bad-lines'] ? 1 : 0;
  } catch (error) {
    if (!(error instanceof ReportError)) throw error;
    stderr.write(`coturn-exporter: ${error.message}\n`);
    return 1;
  }
}

async function readReport(
  values: ReportValues,
  files: ReturnType<typeof findInputFiles>,
  { stdin, stderr, signal }: ReportContext,
): Promise<Report> {
  const isSizeKnown = files.every(({ size }) => size > 0);
  const totalBytes = isSizeKnown ? files.reduce((sum, { size }) => sum + size, 0) : 0;
  const progress = new Progress(stderr, totalBytes, () => performance.now());
  let messages = 0;
  try {
    return await runReport({
      files,
      stdin,
      signal,
      options: { by: values.by.keys, fromMs: values.from, toMs: values.to },
      onProgress: (bytes, records) => progress.show(bytes, records),
      onProblem: (where, reason) => {
        messages += 1;
        if (messages > MAX_MESSAGES + 1) return;
        progress.clear();
        stderr.write(
          messages > MAX_MESSAGES
            ? 'More lines cannot be read; see their number at the end\n'
            : `${plainText(where)}: ${reason}\n`,
        );
      },
    });
  } finally {
    progress.clear();
  }
}

/** Standard input when nothing is named, unless somebody sits there and waits. */
function findFiles(names: readonly string[], stdin: Readable): ReturnType<typeof findInputFiles> {
  const isTerminal = 'isTTY' in stdin && stdin.isTTY === true;
  if (names.length === 0 && isTerminal) {
    throw new ConfigError('Missing FILE: expected files of session records, see --help');
  }
  return findInputFiles(names.length === 0 ? [STDIN_ARGUMENT] : names);
}

function titleOf({ by, from, to }: ReportValues): string {
  const since = from === undefined ? '' : `, from ${isoTime(from)}`;
  const until = to === undefined ? '' : `, to ${isoTime(to)}`;
  return `TURN sessions by ${by.keys.join(', ')}${since}${until}`;
}

async function writeAll(output: Writable, pieces: Iterable<string>): Promise<void> {
  let isOpen = true;
  // Nobody reads on, as in `| head`: that is no fault.
  output.on('error', () => {
    isOpen = false;
  });
  let text = '';
  const flush = async (): Promise<void> => {
    const isFull = isOpen && !output.write(text);
    text = '';
    if (isFull) await Promise.race([once(output, 'drain'), once(output, 'close')]).catch(() => {});
  };
  for (const piece of pieces) {
    text += piece;
    if (text.length > 65_536) await flush();
    if (!isOpen) return;
  }
  await flush();
}

function helpText(): string {
  return `Usage: coturn-exporter report [flags] FILE...

Prints a bill of session records: how many sessions, minutes and GB, how many
were relayed, and what of it is incomplete. FILE is what --records.file wrote,
plain or packed with gzip, or a pattern in quotes; without one, or as -, standard
input. The order of files does not matter, and what is there twice counts once.
Billed are the bytes that came in on both sides: received_bytes and
peer_received_bytes.

The exit code is 0, 1 when lines could not be read, 2 when flags or files cannot
be used.

${renderOptions(REPORT_OPTIONS)}`;
}
