import { redact } from '../config/redact.ts';

/** How findings are shown. */
export interface ReportOptions {
  /** One JSON object a line, instead of text. */
  readonly json: boolean;
  /** Each line names its source; in text only, JSON always does. */
  readonly named: boolean;
  /** Passwords and keys, which are never shown. */
  readonly secrets: readonly string[];
}

/**
 * The lines of a diagnosis, each with its line break.
 *
 *     ok    reachable: answers at 127.0.0.1:6379
 *     warn  timeout: 300 s, … - CONFIG SET timeout 0
 */
export function renderDiagnosis({ source, findings }: Diagnosis, options: ReportOptions): string {
  const lines = findings.map((finding) =>
    options.json
      ? JSON.stringify({ source, ...finding })
      : renderFinding(finding, options.named ? `${source} ` : ''),
  );
  // What a server says may hold line breaks, and escape sequences for the terminal.
  return lines.map((line) => `${redact(printable(line), options.secrets)}\n`).join('');
}

/** 1 when anything failed, else 0: the exit code. */
export function exitCodeOf(diagnoses: readonly Diagnosis[]): number {
  const all = diagnoses.flatMap(({ findings }) => findings);
  return all.some(({ level }) => level === 'fail') ? 1 : 0;
}

function renderFinding({ level, what, finding, fix }: Finding, name: string): string {
  const advice = fix === undefined ? '' : ` - ${fix}`;
  return `${level.padEnd(4)}  ${name}${what}: ${finding}${advice}`;
}

function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

/** How bad a finding is: `warn` costs something some day, `fail` keeps the exporter from its work. */
export type FindingLevel = 'ok' | 'warn' | 'fail';

/** What one check has found. Without secrets, fit to be shown. */
export interface Finding {
  readonly level: FindingLevel;
  /** What was checked, in a word or two; the same in every run. */
  readonly what: string;
  /** What was found, in one line. */
  readonly finding: string;
  /** What to do, in one line; absent where there is nothing to mend. */
  readonly fix?: string;
}

/** The findings about one Redis. */
export interface Diagnosis {
  /** The name of the source, as in the metrics. */
  readonly source: string;
  readonly findings: readonly Finding[];
}

/** All is well. */
export function ok(what: string, finding: string): Finding {
  return { level: 'ok', what, finding };
}

/** It works, and may not always. */
export function warn(what: string, finding: string, fix: string): Finding {
  return { level: 'warn', what, finding, fix };
}

/** It does not work. */
export function fail(what: string, finding: string, fix: string): Finding {
  return { level: 'fail', what, finding, fix };
}
