import type { CommandContext } from '../commands/command-context.ts';
import { listSecrets } from '../config/config.ts';
import { renderOptions } from '../config/option-parser.ts';
import { diagnose } from './diagnose.ts';
import { DOCTOR_OPTIONS, readDoctorConfig } from './doctor-options.ts';
import { exitCodeOf, renderDiagnosis } from './report.ts';

/**
 * Runs `doctor`: examines each Redis, prints one line for each check to `stdout`.
 *
 * @param argv the arguments after `doctor`
 * @returns the exit code: 0, or 1 when something failed
 * @throws {ConfigError} on flags that cannot be used
 */
export async function runDoctor(
  argv: readonly string[],
  { env, stdout, signal }: Pick<CommandContext, 'env' | 'stdout' | 'signal'>,
): Promise<number> {
  const wanted = readDoctorConfig(argv, env);
  if (wanted === undefined) {
    stdout.write(renderDoctorHelp());
    return 0;
  }
  const { config, waitMs, json } = wanted;
  const { sources, tls } = config.redis;
  const report = { json, named: sources.length > 1, secrets: listSecrets(config) };
  // All at once, since each may listen for a while; told in the order of the flags.
  const diagnoses = await Promise.all(
    sources.map((source) => diagnose({ config: source, tls }, { waitMs, signal })),
  );
  stdout.write(diagnoses.map((diagnosis) => renderDiagnosis(diagnosis, report)).join(''));
  return exitCodeOf(diagnoses);
}

/** The text of `doctor --help`: 80 columns, ends in a line break. */
export function renderDoctorHelp(): string {
  return `Usage: coturn-exporter doctor --redis.url=URL [flags]

Examines a Redis that coturn publishes to, and says what to change there, one
line for each check: ok, warn or fail, what it is about, what was found, and
after a dash what to do. Changes nothing. The exit code is 0 when nothing failed
(warnings may be there), 1 when something did, 2 when flags cannot be used.

${renderOptions(DOCTOR_OPTIONS)}`;
}
