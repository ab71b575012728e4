import { createConfig } from '../config/config.ts';
import { MAX_CONFIG_BYTES, readTextFile } from '../config/files.ts';
import { type OptionTable, parseOptions, renderOptions } from '../config/option-parser.ts';
import { OPTIONS, type OptionValues, pickOptions, REDIS_FLAGS } from '../config/options.ts';
import { duration, wholeNumber } from '../config/values.ts';
import { Ledger } from '../domain/ledger.ts';
import { createRelayedRule } from '../domain/relayed.ts';
import { Servers } from '../domain/servers.ts';
import { createLog } from '../log.ts';
import { createNameHider } from '../recording/name-hider.ts';
import { Recorder } from '../recording/recorder.ts';
import { RECORDING_FORMAT, type RecordingHeader } from '../recording/recording.ts';
import { createSources } from '../sources/create-sources.ts';
import type { CommandContext } from './command.ts';

/** The most bytes that wait for whoever reads the recording. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/**
 * Runs `record`: writes all that coturn sends to `stdout`, words for people to `stderr`.
 *
 * @param argv the arguments after `record`
 * @returns the exit code: 0, or 1 when no message came or not all could be written
 * @throws {ConfigError} on flags that cannot be used
 */
export async function runRecord(
  argv: readonly string[],
  { env, stdout, stderr, signal, build }: CommandContext,
): Promise<number> {
  const values = parseOptions(RECORD_OPTIONS, argv, env);
  if (values.help) {
    stdout.write(helpText());
    return 0;
  }
  const { for: forMs, messages, 'hide-names': hidden, help: _help, ...given } = values;
  const config = createConfig({ ...parseOptions(OPTIONS, []), ...given }, (path) =>
    readTextFile(path, { maxBytes: MAX_CONFIG_BYTES }),
  );
  const ending = createEnding(signal, forMs);
  // Nobody reads on, as in `| head`.
  stdout.on('error', () => ending.end('reader'));
  const put = (line: object): void => {
    stdout.write(`${JSON.stringify(line)}\n`);
    if (stdout.writableLength > MAX_WAITING_BYTES) ending.end('slow');
  };
  const nowMs = (): number => performance.now();
  let recorded = 0;
  const recorder = new Recorder({
    nowMs,
    hider: hidden ? createNameHider() : undefined,
    write(line) {
      if (ending.cause !== undefined) return;
      put(line);
      if (line.event === undefined) recorded += 1;
      if (recorded === messages) ending.end('enough');
    },
  });
  const start = new Date().toISOString();
  const header: RecordingHeader = {
    recording: RECORDING_FORMAT,
    exporter: build.version,
    start,
    hidden,
  };
  put(header);
  const log = await createLog({ level: 'info' });
  // How servers are is not asked here.
  const servers = new Servers({ ledger: new Ledger(1, createRelayedRule()), forgetAfterMs: 0 });
  const serverName = (address: string): string => address;
  const context = { sink: recorder, servers, serverName, nowMs, log };
  const sources = await createSources(config, context);
  try {
    for (const source of sources.all) await source.start();
    stderr.write('Recording; Ctrl-C ends it\n');
    await ending.over;
    put(recorder.endLine());
  } catch (error) {
    stderr.write(`coturn-exporter: ${explain(error)}\n`);
    return 1;
  } finally {
    await Promise.all(sources.all.map((source) => source.stop()));
  }
  await new Promise((resolve) => stdout.write('', resolve));
  stderr.write(`Recorded ${recorded} messages${SAYINGS[ending.cause ?? 'told']}\n`);
  if (recorded === 0) stderr.write('Why none came: coturn-exporter doctor\n');
  return recorded === 0 || ending.cause === 'slow' ? 1 : 0;
}

/** Why a recording ends: told to, enough messages, nobody reads it, or not as fast as they come. */
type Cause = 'told' | 'enough' | 'reader' | 'slow';

const SAYINGS: Readonly<Record<Cause, string>> = {
  told: '',
  enough: '',
  reader: ': nobody reads on',
  slow: ': they come faster than they can be written',
};

function createEnding(signal: AbortSignal, forMs: number | undefined) {
  let timer: NodeJS.Timeout | undefined;
  let resolve = (): void => undefined;
  const over = new Promise<void>((settle) => {
    resolve = settle;
  });
  const ending = {
    over,
    cause: undefined as Cause | undefined,
    end(cause: Cause): void {
      ending.cause ??= cause;
      clearTimeout(timer);
      resolve();
    },
  };
  const told = (): void => ending.end('told');
  if (forMs !== undefined) timer = setTimeout(told, forMs);
  if (signal.aborted) told();
  else signal.addEventListener('abort', told, { once: true });
  return ending;
}

function explain(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  return `Cannot record: ${reason}. Where an exporter listens, stop it for as long as this takes`;
}

const EXPORTER_FLAGS = [
  ...REDIS_FLAGS,
  'redis.resync-interval',
  'statsdb.listen-address',
  'statsdb.password-file',
  'statsdb.servers-file',
  'statsdb.tls-cert-file',
  'statsdb.tls-key-file',
  'statsdb.tls-client-ca-file',
] as const;

/** The values of {@link RECORD_OPTIONS}, by flag. Durations are milliseconds. */
interface RecordValues extends Pick<OptionValues, (typeof EXPORTER_FLAGS)[number]> {
  readonly for: number | undefined;
  readonly messages: number | undefined;
  readonly 'hide-names': boolean;
  readonly help: boolean;
}

/** The flags of `record`: those of the exporter about where coturn publishes to, and its own. */
const RECORD_OPTIONS: OptionTable<RecordValues> = {
  'hide-names': {
    kind: 'switch',
    help: 'Replace users, realms and addresses by hashes whose key is thrown away: to be shown to others.',
  },
  for: {
    kind: 'single',
    type: duration({ min: 1, max: 604_800_000 }),
    defaultHelp: 'until Ctrl-C',
    help: 'End after this time.',
  },
  messages: {
    kind: 'single',
    type: wholeNumber({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    defaultHelp: 'until Ctrl-C',
    help: 'End after so many messages.',
  },
  ...pickOptions(EXPORTER_FLAGS),
  help: { kind: 'switch', help: 'Print this text, then exit.' },
};

function helpText(): string {
  return `Usage: coturn-exporter record [flags] > FILE

Writes down every message of coturn with its time, one JSON object a line: for
bug reports and tests. coturn-exporter replay FILE shows what an exporter makes
of it. Hears what an exporter with the same flags would, and counts nothing.
Beside a Redis it may run along with an exporter; as the statsdb of a coturn it
takes the place of one.

${renderOptions(RECORD_OPTIONS)}`;
}
