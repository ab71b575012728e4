import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type Config, createConfig } from '../config/config.ts';
import { ConfigError } from '../config/config-error.ts';
import {
  type OptionTable,
  parseOptions,
  renderOptions,
  splitArguments,
} from '../config/option-parser.ts';
import { OPTIONS, type OptionValues, pickOptions } from '../config/options.ts';
import { openUserNames } from '../config/user-names.ts';
import { createSessionRecord } from '../domain/session-record.ts';
import type { Tracker } from '../domain/tracker.ts';
import type { UserNames } from '../domain/user.ts';
import { createTracker } from '../exporter.ts';
import { createMetricsRoute, type MetricsRoute } from '../http/metrics-route.ts';
import { errorCode } from '../log.ts';
import { registerAccountMetrics } from '../metrics/account-metrics.ts';
import { createRegistry } from '../metrics/registry.ts';
import { registerSessionMetrics, type SessionObserver } from '../metrics/session-metrics.ts';
import { Player } from '../recording/player.ts';
import {
  isHeader,
  parseRecordedLine,
  RecordingError,
  type RecordingHeader,
} from '../recording/recording.ts';
import type { CommandContext } from './command.ts';

/**
 * Runs `replay`: hands a recording to the accounting, in its own time, and writes to `stdout` the
 * records or the metrics that an exporter would have come to; to `stderr`, what was in it.
 *
 * @param argv the arguments after `replay`
 * @returns the exit code: 0, or 1 when the file is no recording
 * @throws {ConfigError} on flags that cannot be used
 */
export async function runReplay(argv: readonly string[], context: CommandContext): Promise<number> {
  const { stdin, stdout, stderr } = context;
  const { flags, names: files } = splitArguments(REPLAY_OPTIONS, argv);
  const { metrics, help, ...given } = parseOptions(REPLAY_OPTIONS, flags);
  if (help) {
    stdout.write(helpText());
    return 0;
  }
  const [name, ...more] = files;
  if (name === undefined || more.length > 0) {
    throw new ConfigError('Missing FILE: expected one recording, or - for standard input');
  }
  // Nobody reads on, as in `| head`.
  stdout.on('error', () => undefined);
  const config = createConfig({ ...parseOptions(OPTIONS, []), ...given }, () => '');
  const names = await openUserNames(config.users);
  const replay = new Replay(
    config,
    names,
    metrics ? () => undefined : (line) => void stdout.write(line),
  );
  try {
    await replay.read(openLines(name, stdin));
  } catch (error) {
    if (!(error instanceof RecordingError || errorCode(error) !== undefined)) throw error;
    stderr.write(
      `coturn-exporter: Cannot replay ${name}: ${error instanceof Error ? error.message : ''}\n`,
    );
    return 1;
  }
  if (metrics) for (const piece of await replay.metrics()) stdout.write(piece);
  replay.end();
  await new Promise((resolve) => stdout.write('', resolve));
  stderr.write(replay.summary());
  return 0;
}

/** An exporter that lives in the time of a recording. */
class Replay {
  readonly #tracker: Tracker;
  readonly #player: Player;
  readonly #metrics: MetricsRoute;
  readonly #observer: SessionObserver;
  readonly #write: (line: string) => void;
  #header: RecordingHeader | undefined;
  #startedMs = 0;
  #nowMs = 0;
  readonly #sessions = { total: 0, live: 0 };

  constructor(config: Config, names: UserNames, write: (line: string) => void) {
    this.#write = write;
    const wallOffsetMs = (): number => this.#startedMs;
    this.#tracker = createTracker(config, { wallOffsetMs }, names);
    this.#player = new Player(this.#tracker);
    const { ledger, users } = this.#tracker;
    const registry = createRegistry();
    registerAccountMetrics(registry, ledger);
    this.#observer = registerSessionMetrics(registry, ledger);
    this.#metrics = createMetricsRoute({
      registry,
      users,
      hasUserSeries: true,
      nowMs: () => this.#nowMs,
      wallOffsetMs,
    });
  }

  /** @throws {RecordingError} at the first line that is none of a recording */
  async read(lines: AsyncIterable<string>): Promise<void> {
    let number = 0;
    for await (const text of lines) {
      number += 1;
      if (text !== '') this.#take(text, number);
    }
  }

  /** What a scrape at the end of the recording would get. */
  async metrics(): Promise<readonly Uint8Array[]> {
    const { body } = await this.#metrics.answer({
      query: '',
      accept: '',
      acceptEncoding: '',
      isHead: false,
      gone: new AbortController().signal,
    });
    return body;
  }

  /** Ends what lives, as the stop of an exporter does. */
  end(): void {
    this.#tracker.shutdown(this.#nowMs);
    this.#finish();
  }

  summary(): string {
    const { start, exporter, hidden } = this.#header ?? {};
    const about =
      start === undefined
        ? ''
        : `Recorded by coturn-exporter ${exporter} from ${start}${hidden ? ', names hidden' : ''}\n`;
    const sources = this.#player.sources.map((stats) => {
      const { name, events, rejected, missedBytes, collisions, resyncs } = stats;
      const counts = { ...events, ...rejected, missedBytes, collisions, resyncs };
      const shown = Object.entries(counts).filter(([, count]) => count > 0);
      return `Source ${name}: ${shown.map(([what, count]) => `${what} ${count}`).join(', ')}\n`;
    });
    const { total, live } = this.#sessions;
    const seconds = Math.round(this.#nowMs) / 1000;
    return `${about}${sources.join('')}${total} sessions in ${seconds} s, ${live} of them live at the end\n`;
  }

  #take(text: string, number: number): void {
    try {
      const line = parseRecordedLine(text);
      if (isHeader(line)) {
        this.#header = line;
        this.#startedMs = Date.parse(line.start);
        return;
      }
      this.#nowMs = Math.max(this.#nowMs, line.t);
      this.#tracker.expire(this.#nowMs);
      this.#finish();
      this.#player.play(line, this.#nowMs);
    } catch (cause) {
      if (!(cause instanceof RecordingError)) throw cause;
      throw new RecordingError(`line ${number}: ${cause.message}`, { cause });
    }
  }

  #finish(): void {
    for (const session of this.#tracker.sessions.takeFinished()) {
      const record = createSessionRecord(session, this.#startedMs);
      this.#write(`${JSON.stringify({ level: 'info', time: record.end, ...record })}\n`);
      this.#observer.observe(session);
      this.#tracker.users.leave(session);
      this.#sessions.total += 1;
      if (record.reason === 'shutdown') this.#sessions.live += 1;
    }
  }
}

function openLines(name: string, stdin: Readable): AsyncIterable<string> {
  const input = name === '-' ? stdin : createReadStream(name);
  if (!name.endsWith('.gz')) return createInterface({ input });
  // What befalls either comes to whoever reads the last.
  return createInterface({ input: pipeline(input, createGunzip(), () => undefined) });
}

const EXPORTER_FLAGS = [
  'session.group-by',
  'session.linger',
  'session.relayed-min-bytes',
  'user.label',
  'user.pattern',
  'user.hash-key-file',
  'user.rest-separator',
  'user.max-series',
  'realm.max-series',
] as const;

/** The values of {@link REPLAY_OPTIONS}, by flag. Durations are milliseconds. */
interface ReplayValues extends Pick<OptionValues, (typeof EXPORTER_FLAGS)[number]> {
  readonly metrics: boolean;
  readonly help: boolean;
}

/** The flags of `replay`: those of the exporter about accounting, and its own. */
const REPLAY_OPTIONS: OptionTable<ReplayValues> = {
  metrics: {
    kind: 'switch',
    help: 'Print the metrics at the end of the recording instead of the records.',
  },
  ...pickOptions(EXPORTER_FLAGS),
  help: { kind: 'switch', help: 'Print this text, then exit.' },
};

function helpText(): string {
  return `Usage: coturn-exporter replay [flags] FILE

Reads what coturn-exporter record wrote, plain or packed with gzip, or - for
standard input, and prints the session records that an exporter would have
written: coturn-exporter report makes a bill of them. A recording of hours takes
no longer than it takes to read.

${renderOptions(REPLAY_OPTIONS)}`;
}
