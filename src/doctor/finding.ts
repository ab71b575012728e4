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
