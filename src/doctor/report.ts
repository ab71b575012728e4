import { redact } from '../config/redact.ts';
import type { Diagnosis, Finding } from './finding.ts';

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
