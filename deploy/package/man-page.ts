import { COMMANDS } from '../../src/cli/commands.ts';
import { variableOf } from '../../src/config/option-parser.ts';
import { OPTIONS } from '../../src/config/options.ts';

/** What a row of the option table tells of one flag. */
interface Row {
  readonly kind: 'switch' | 'single' | 'list';
  readonly help: string;
  readonly type?: { readonly placeholder: string };
  readonly default?: string | undefined;
  readonly defaultHelp?: string | undefined;
}

const EXIT_CODES = [
  ['0', 'Stopped by SIGTERM or SIGINT, or the command did what it was asked for.'],
  ['1', 'Failed while running, such as a port that is taken.'],
  ['2', 'A flag, a variable or a file cannot be used; one line on standard error names it.'],
] as const;

const FILES = [
  ['/etc/default/coturn-exporter', 'Settings of the service, as environment variables.'],
  [
    '/var/log/coturn-exporter/sessions-YYYY-MM-DD.jsonl',
    'Records of finished sessions, a file a day; sessions.jsonl is the newest.',
  ],
  ['/var/lib/coturn-exporter/state', 'Live sessions, for the next start.'],
] as const;

/** The manual page coturn-exporter(1) as roff, made of the table of flags. */
export function renderManPage(version: string): string {
  const options = Object.entries(OPTIONS as Readonly<Record<string, Row>>);
  return [
    `.TH COTURN\\-EXPORTER 1 "" "coturn\\-exporter ${roff(version)}" "User Commands"`,
    '.SH NAME',
    'coturn\\-exporter \\- Prometheus exporter and session records for coturn',
    '.SH SYNOPSIS',
    '.B coturn\\-exporter',
    '.RI [ command ]\n.RI [ flags ]',
    '.SH DESCRIPTION',
    roff('Listens to the statistics that coturn, a TURN and STUN server, publishes.'),
    roff('Metrics are on /metrics of its HTTP server; one record for every finished session is'),
    roff(
      'written as a line of JSON. coturn connects straight to it, by this line in turnserver.conf:',
    ),
    `.PP\n.RS\n${roff('redis-statsdb="ip=127.0.0.1 port=6380"')}\n.RE`,
    '.SH COMMANDS',
    'Without a command the exporter runs. Each command explains itself with',
    `.BR ${roff('--help')} .`,
    ...COMMANDS.map(({ name, help }) => item(`.B ${roff(name)}`, help)),
    '.SH OPTIONS',
    roff('Each flag has a twin in the environment, which the flag beats.'),
    roff('In the environment several values are separated by spaces or commas, and switches take'),
    'true or false.',
    ...options.map(([name, row]) => item(`.B ${roff(usageOf(name, row))}`, meaningOf(name, row))),
    '.SH SIGNALS',
    item('.B SIGHUP', 'Opens the file of the records anew, for logrotate.'),
    item('.B SIGTERM, SIGINT', 'Writes what is finished and stops, within ten seconds.'),
    '.SH EXIT STATUS',
    ...EXIT_CODES.map(([code, meaning]) => item(`.B ${code}`, meaning)),
    '.SH FILES',
    ...FILES.map(([path, meaning]) => item(`.I ${roff(path)}`, meaning)),
    '.SH SEE ALSO',
    '.BR turnserver (1),\n.BR prometheus (1)',
    '',
  ].join('\n');
}

function usageOf(name: string, { type }: Row): string {
  return type === undefined ? `--${name}` : `--${name}=${type.placeholder}`;
}

function meaningOf(name: string, row: Row): string {
  const fallback = row.defaultHelp ?? row.default ?? 'none';
  const notes = [
    ...(row.kind === 'list' ? ['repeatable'] : []),
    ...(row.kind === 'switch' ? [] : [`default: ${fallback}`]),
    variableOf(name),
  ];
  return `${row.help} (${notes.join('; ')})`;
}

function item(title: string, meaning: string): string {
  return `.TP\n${title}\n${roff(meaning)}`;
}

/** Dashes that can be copied, and no text that roff takes for its own. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replaceAll("'", '\\(aq')
    .replaceAll('~', '\\(ti')
    .replaceAll(/[^\n -~]/gu, (character) => `\\[u${codePoint(character)}]`)
    .replace(/^\./, '\\&.');
}

/** At least four hexadecimal digits, as roff wants them. */
function codePoint(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}
