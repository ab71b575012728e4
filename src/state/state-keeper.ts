import type { Logger } from 'pino';
import { hideNames, type SavedSession } from '../domain/saved-session.ts';
import { SourceStats } from '../domain/source-stats.ts';
import type { Tracker } from '../domain/tracker.ts';
import type { Hide } from '../domain/user.ts';
import { type Journal, RecordJournal } from './journal.ts';
import { StateLock } from './lock.ts';
import { clearFinal, readState, unusable, writeStateFile } from './state-file.ts';
import { STATE_FORMAT, type StateHeader } from './state-format.ts';

/** What a {@link StateKeeper} works with. */
interface StateKeeperOptions {
  readonly path: string;
  readonly intervalMs: number;
  readonly tracker: Tracker;
  /** Of the sources there are; sessions of others only wait for their end. */
  readonly sources: readonly SourceStats[];
  /** How the tracker hides names; absent: not at all. */
  readonly hide?: Hide | undefined;
  /** The name of a coturn by what its key space is called: its address, or a name already. */
  readonly serverName: (name: string) => string;
  readonly nowMs: () => number;
  readonly wallOffsetMs: () => number;
  readonly stats: StateStats;
  /** Session ids among the newest records of the destination, where it can be read. */
  readonly recentRecords: () => ReadonlySet<string>;
  readonly log: Pick<Logger, 'error' | 'info' | 'warn'>;
}

/** Saves live sessions at an interval and at the stop, and takes them in again at the start. */
export class StateKeeper {
  readonly #options: StateKeeperOptions;
  readonly #journal: RecordJournal;
  readonly #lock: StateLock;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> | undefined;
  #recorded: string[] = [];
  #isFailing = false;
  #isStopped = false;

  constructor(options: StateKeeperOptions) {
    this.#options = options;
    this.#journal = new RecordJournal(options.path);
    this.#lock = new StateLock(options.path);
  }

  /**
   * Takes in the sessions of the process before.
   *
   * @throws {Error} that names the file, when it cannot be used or another process uses it; it stays
   *   as it is
   */
  async restore(): Promise<void> {
    const { path, stats, log } = this.#options;
    const { recorded, wasOpened } = await this.#begin();
    const recent = this.#options.recentRecords();
    let header: StateHeader | undefined;
    let sessions = 0;
    let take: (session: SavedSession) => void = () => undefined;
    const found = await readState(path, {
      onHeader: (read) => {
        header = read;
        take = this.#taker(read, wasOpened);
      },
      onSession: (session) => {
        if (recorded.has(session.id) || recent.has(session.id)) return;
        sessions += 1;
        take(session);
      },
    });
    if (found === undefined || header === undefined) return;
    if (found.badLines > 0 || found.isCut) {
      stats.badLines += found.badLines + (found.isCut ? 1 : 0);
      const fields = { path, setAside: `${path}.bad`, ...found };
      log.error(fields, 'a part of the state file cannot be read, those sessions begin anew');
    }
    this.#open();
    this.#goOn(header, sessions);
  }

  #goOn({ savedAt, names }: StateHeader, sessions: number): void {
    const { path, log, tracker, wallOffsetMs } = this.#options;
    if (names === this.#names) {
      log.info({ path, sessions, savedAt }, 'sessions of the process before go on');
      return;
    }
    // By these names nobody could tell what comes now from what is theirs.
    tracker.shutdown(Date.parse(savedAt) - wallOffsetMs());
    log.warn(
      { path, sessions, savedAt },
      'user names are hidden otherwise than before: sessions of the process before get their records and begin anew',
    );
  }

  /** Tells in a state file by which key names are hidden, and does not tell the key. */
  get #names(): string | undefined {
    return this.#options.hide?.(STATE_FORMAT);
  }

  async #begin(): Promise<Journal> {
    try {
      await this.#lock.acquire();
      return this.#journal.read();
    } catch (cause) {
      const { path } = this.#options;
      throw unusable(path, cause instanceof Error ? cause.message : String(cause), cause);
    }
  }

  #taker(header: StateHeader, wasOpened: boolean): (session: SavedSession) => void {
    const { tracker, nowMs, wallOffsetMs, hide, serverName } = this.#options;
    const savedAtMs = Date.parse(header.savedAt) - wallOffsetMs();
    const options = {
      originOf: (source: string, name: string) => {
        const stats = this.#sourceOf(source);
        const server = stats.serverFrom === 'connection' ? serverName(name) : name;
        const origin = tracker.openOrigin(stats, name, server);
        // Nobody listened meanwhile.
        origin.noteDeaf(savedAtMs, Math.max(savedAtMs, nowMs()));
        return origin;
      },
      pastCounted: header.isFinal && !wasOpened,
      // A clock that was set back meanwhile would put what was saved in the future.
      wallOffsetMs: Math.max(wallOffsetMs(), Date.parse(header.savedAt) - nowMs()),
      nowMs: nowMs(),
      isHidden: hide !== undefined && header.names === this.#names,
    };
    if (hide === undefined || header.names !== undefined) {
      return (session) => tracker.restore(session, options);
    }
    return (session) => tracker.restore(hideNames(session, hide), options);
  }

  #open(): void {
    try {
      this.#journal.open();
    } catch (error) {
      // A full disk. Events that nobody takes would be lost for good, so this is no reason to stop.
      clearFinal(this.#options.path);
      this.#fail(error);
    }
  }

  /** Begins to save at the interval. */
  start(): void {
    this.#timer ??= setInterval(() => void this.#save(false), this.#options.intervalMs);
  }

  /** A session has its record; told to the journal once this turn of the event loop is over. */
  noteRecorded(id: string): void {
    this.#recorded.push(id);
    if (this.#recorded.length === 1) queueMicrotask(() => this.#flushRecorded());
  }

  /** Gives the file up as it is: it was not needed yet. */
  abandon(): void {
    this.#journal.close();
    this.#lock.release();
  }

  /** Saves for the last time: nothing may be counted after. Safe to call twice. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#saving;
    this.#flushRecorded();
    await this.#save(true);
    this.#journal.close();
    this.#lock.release();
  }

  async #save(isFinal: boolean): Promise<void> {
    if (this.#saving !== undefined) return;
    this.#saving = this.#write(isFinal);
    await this.#saving;
    this.#saving = undefined;
  }

  async #write(isFinal: boolean): Promise<void> {
    const { path, tracker, wallOffsetMs, nowMs, stats, log } = this.#options;
    const offset = wallOffsetMs();
    const savedAtMs = nowMs() + offset;
    try {
      this.#journal.beginSnapshot();
      const savedAt = new Date(savedAtMs).toISOString();
      const header = { savedAt, isFinal, names: this.#names };
      await writeStateFile(path, tracker.savedSessions(offset), header);
      this.#journal.endSnapshot();
      stats.saved += 1;
      stats.lastSavedAtMs = savedAtMs;
      if (this.#isFailing) log.info({ path }, 'state is saved again');
      this.#isFailing = false;
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const { path, log, stats } = this.#options;
    stats.failed += 1;
    if (!this.#isFailing) {
      log.error({ err: error, path }, 'state cannot be saved, a restart would lose it');
    }
    this.#isFailing = true;
  }

  #flushRecorded(): void {
    if (this.#recorded.length === 0) return;
    const ids = this.#recorded;
    this.#recorded = [];
    try {
      this.#journal.add(ids);
    } catch (error) {
      this.#fail(error);
    }
  }

  #sourceOf(name: string): SourceStats {
    const known = this.#options.sources.find((stats) => stats.name === name);
    return known ?? this.#goneSource(name);
  }

  readonly #gone = new Map<string, SourceStats>();

  /** A source that is no longer configured: its allocations expire in a key space of their own. */
  #goneSource(name: string): SourceStats {
    const stats = this.#gone.get(name) ?? new SourceStats(name, 'status');
    this.#gone.set(name, stats);
    return stats;
  }
}

/** What is counted about the state file over the life of the process. */
export class StateStats {
  saved = 0;
  failed = 0;
  /** Lines that could not be read, and files whose end was missing. */
  badLines = 0;
  /** Unix time of the newest state file, in ms; 0 before the first. */
  lastSavedAtMs = 0;
}
