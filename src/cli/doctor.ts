import { type Config, createConfig, listSecrets } from '../config/config.ts';
import { ConfigError, quote } from '../config/config-error.ts';
import { MAX_CONFIG_BYTES, readTextFile } from '../config/files.ts';
import {
  type Environment,
  type OptionTable,
  parseOptions,
  rejectUnknownVariables,
  renderOptions,
} from '../config/option-parser.ts';
import {
  DEFAULT_STATSDB_ADDRESS,
  OPTIONS,
  type OptionValues,
  pickOptions,
  REDIS_FLAGS,
} from '../config/options.ts';
import type { ReadFile } from '../config/read-file.ts';
import { duration, filePath } from '../config/values.ts';
import { diagnose } from '../doctor/diagnose.ts';
import { type Diagnosis, exitCodeOf, renderDiagnosis } from '../doctor/report.ts';
import { diagnoseStatsdb } from '../doctor/statsdb.ts';
import { parseTurnserverConf } from '../doctor/turnserver-conf.ts';
import { setupLine } from '../http/landing/setup.ts';
import { errorCode } from '../log.ts';
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
  const { config, turnserver, waitMs, json } = wanted;
  const { sources, access } = config.redis;
  const asked: Promise<Diagnosis>[] = sources.map((source) =>
    diagnose({ config: source, access }, { waitMs, signal }),
  );
  if (turnserver !== undefined) {
    asked.push(diagnoseStatsdb({ ...turnserver, lines: setupLines(config) }));
  }
  const settings = turnserver === undefined ? [] : parseTurnserverConf(turnserver.text);
  const secrets = [...listSecrets(config), ...settings.flatMap(({ password }) => password ?? [])];
  const report = { json, named: asked.length > 1, secrets };
  // All at once, since each may listen for a while; told in the order of the flags.
  const diagnoses = await Promise.all(asked);
  stdout.write(diagnoses.map((diagnosis) => renderDiagnosis(diagnosis, report)).join(''));
  return exitCodeOf(diagnoses);
}

/** The text of `doctor --help`: 80 columns, ends in a line break. */
export function renderDoctorHelp(): string {
  return `Usage: coturn-exporter doctor --redis.url=URL [flags]
       coturn-exporter doctor --turnserver-conf=FILE [flags]

Examines a Redis that coturn publishes to, or asks where the redis-statsdb of a
coturn points whether an exporter is there, and says what to change, one line
for each check: ok, warn or fail, what it is about, what was found, and after a
dash what to do. Changes nothing. The exit code is 0 when nothing failed
(warnings may be there), 1 when something did, 2 when flags cannot be used.

${renderOptions(DOCTOR_OPTIONS)}`;
}

const EXPORTER_FLAGS = [...REDIS_FLAGS, 'statsdb.listen-address', 'statsdb.password-file'] as const;

/** The values of {@link DOCTOR_OPTIONS}, by flag. Durations are milliseconds. */
interface DoctorValues extends Pick<OptionValues, (typeof EXPORTER_FLAGS)[number]> {
  readonly 'turnserver-conf': string | undefined;
  readonly 'doctor.wait': number;
  readonly json: boolean;
  readonly help: boolean;
}

/** The flags of `doctor`: those of the exporter about where coturn publishes to, and its own. */
const DOCTOR_OPTIONS: OptionTable<DoctorValues> = {
  ...pickOptions(EXPORTER_FLAGS),
  'turnserver-conf': {
    kind: 'single',
    type: filePath(),
    help: 'Configuration of a coturn, whose redis-statsdb is tried.',
  },
  'doctor.wait': {
    kind: 'single',
    type: duration({ min: 0, max: 3_600_000 }),
    default: '10s',
    help: 'How long to listen for a status message of coturn, at most.',
  },
  json: { kind: 'switch', help: 'Print a JSON object for each finding.' },
  help: { kind: 'switch', help: 'Print this text, then exit.' },
};

/** The configuration of a coturn. */
interface TurnserverFile {
  readonly file: string;
  readonly text: string;
}

/** What `doctor` is told. */
interface DoctorConfig {
  /** Without a Redis there is a `turnserver`. */
  readonly config: Config;
  readonly turnserver: TurnserverFile | undefined;
  readonly waitMs: number;
  readonly json: boolean;
}

/**
 * Reads the command line of `doctor`; undefined when it asks for help.
 *
 * @throws {ConfigError} on flags, variables and files that cannot be used, and with nothing to examine
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
  const { 'doctor.wait': waitMs, 'turnserver-conf': file, json, help: _help, ...given } = values;
  if (given['redis.url'].length === 0 && file === undefined) {
    throw new ConfigError(
      'Missing --redis.url: expected the Redis to examine, or --turnserver-conf',
    );
  }
  const config = createConfig({ ...parseOptions(OPTIONS, []), ...given }, readFile);
  return { config, turnserver: readTurnserver(file, readFile), waitMs, json };
}

function readTurnserver(file: string | undefined, readFile: ReadFile): TurnserverFile | undefined {
  if (file === undefined) return undefined;
  try {
    return { file, text: readFile(file) };
  } catch (cause) {
    const why = `expected a file that can be read (${errorCode(cause) ?? String(cause)})`;
    throw new ConfigError(`Cannot read --turnserver-conf ${quote(file)}: ${why}`, { cause });
  }
}

/** What connects a coturn to the exporter of this configuration. */
function setupLines({ statsdb }: Config): string[] {
  const hasPassword = statsdb.password !== undefined;
  const addresses = statsdb.listen.length > 0 ? statsdb.listen : [DEFAULT_STATSDB_ADDRESS];
  return addresses.map((address) => setupLine({ ...address, hasPassword }));
}
