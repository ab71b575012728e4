import { type Config, createConfig, listSecrets } from '../config/config.ts';
import { ConfigError } from '../config/config-error.ts';
import { MAX_CONFIG_BYTES, readTextFile } from '../config/files.ts';
import {
  type Environment,
  type OptionTable,
  parseOptions,
  rejectUnknownVariables,
  renderOptions,
} from '../config/option-parser.ts';
import { OPTIONS, type OptionValues } from '../config/options.ts';
import type { ReadFile } from '../config/read-file.ts';
import { duration } from '../config/values.ts';
import { diagnose } from '../doctor/diagnose.ts';
import { exitCodeOf, renderDiagnosis } from '../doctor/report.ts';
import type { CommandContext } from './command.ts';

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
  const { sources, access } = config.redis;
  const report = { json, named: sources.length > 1, secrets: listSecrets(config) };
  // All at once, since each may listen for a while; told in the order of the flags.
  const diagnoses = await Promise.all(
    sources.map((source) => diagnose({ config: source, access }, { waitMs, signal })),
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

type RedisFlag =
  | 'redis.url'
  | 'redis.password-file'
  | 'redis.sentinel-user'
  | 'redis.sentinel-password-file'
  | 'redis.tls-ca-file'
  | 'redis.tls-cert-file'
  | 'redis.tls-key-file';

/** The values of {@link DOCTOR_OPTIONS}, by flag. Durations are milliseconds. */
interface DoctorValues extends Pick<OptionValues, RedisFlag> {
  readonly 'doctor.wait': number;
  readonly json: boolean;
  readonly help: boolean;
}

/** The flags of `doctor`: those of the exporter about Redis, and its own. */
const DOCTOR_OPTIONS: OptionTable<DoctorValues> = {
  'redis.url': OPTIONS['redis.url'],
  'redis.password-file': OPTIONS['redis.password-file'],
  'redis.sentinel-user': OPTIONS['redis.sentinel-user'],
  'redis.sentinel-password-file': OPTIONS['redis.sentinel-password-file'],
  'redis.tls-ca-file': OPTIONS['redis.tls-ca-file'],
  'redis.tls-cert-file': OPTIONS['redis.tls-cert-file'],
  'redis.tls-key-file': OPTIONS['redis.tls-key-file'],
  'doctor.wait': {
    kind: 'single',
    type: duration({ min: 0, max: 3_600_000 }),
    default: '10s',
    help: 'How long to listen for a status message of coturn, at most.',
  },
  json: { kind: 'switch', help: 'Print a JSON object for each finding.' },
  help: { kind: 'switch', help: 'Print this text, then exit.' },
};

/** What `doctor` is told. */
interface DoctorConfig {
  /** Never without sources. */
  readonly config: Config;
  readonly waitMs: number;
  readonly json: boolean;
}

/**
 * Reads the command line of `doctor`; undefined when it asks for help.
 *
 * @throws {ConfigError} on flags, variables and files that cannot be used, and without a Redis
 */
export function readDoctorConfig(
  argv: readonly string[],
  env: Environment,
  readFile: ReadFile = (path) => readTextFile(path, { maxBytes: MAX_CONFIG_BYTES }),
): DoctorConfig | undefined {
  if (argv.includes('--help')) return undefined;
  const values = parseOptions(DOCTOR_OPTIONS, argv, env);
  if (values.help) return undefined;
  // Variables of the exporter may be set where the doctor is called.
  rejectUnknownVariables(env, [...Object.keys(OPTIONS), ...Object.keys(DOCTOR_OPTIONS)]);
  if (values['redis.url'].length === 0) {
    throw new ConfigError('Missing --redis.url: expected the Redis to examine');
  }
  const { 'doctor.wait': waitMs, json, help: _help, ...redis } = values;
  const config = createConfig({ ...parseOptions(OPTIONS, []), ...redis }, readFile);
  return { config, waitMs, json };
}
