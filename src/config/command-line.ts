import { type Config, createConfig, readOptions } from './config.ts';
import { MAX_CONFIG_BYTES, readTextFile } from './files.ts';
import { describeOptions, type Environment } from './option-parser.ts';
import { type CommandHelp, OPTIONS, renderHelp } from './options.ts';
import type { ReadFile } from './read-file.ts';

/** What a command line without a command word asks for. */
export type CommandLine =
  | { readonly kind: 'run' | 'check-config'; readonly config: Config }
  | { readonly kind: 'version' }
  | { readonly kind: 'help' | 'print-config'; readonly text: string };

/** What parsing needs from outside. */
interface CommandLineOptions {
  /** Reads files of secrets and certificates; default: from disk, as UTF-8. */
  readonly readFile?: ReadFile;
  /** Listed in the help text; default: none. */
  readonly commands?: readonly CommandHelp[];
}

/**
 * `--redis.url redis://127.0.0.1 --log.level=debug` → what to do. `argv` starts after the name of
 * the script. `--help` and `--version` are answered whatever else is wrong.
 *
 * @throws {ConfigError} with one line for people when anything cannot be used
 */
export function parseCommandLine(
  argv: readonly string[],
  env: Environment,
  { readFile = readConfigFile, commands = [] }: CommandLineOptions = {},
): CommandLine {
  if (argv.includes('--help')) {
    return { kind: 'help', text: renderHelp(commands) };
  }
  if (argv.includes('--version')) {
    return { kind: 'version' };
  }
  const values = readOptions(argv, env);
  if (values.help) {
    return { kind: 'help', text: renderHelp(commands) };
  }
  if (values.version) {
    return { kind: 'version' };
  }
  const config = createConfig(values, readFile);
  if (values['print-config']) {
    return { kind: 'print-config', text: describeOptions(OPTIONS, argv, env) };
  }
  return { kind: values['check-config'] ? 'check-config' : 'run', config };
}

function readConfigFile(path: string): string {
  return readTextFile(path, { maxBytes: MAX_CONFIG_BYTES });
}
