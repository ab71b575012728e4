import type { BuildInfo } from '../../../src/build-info.ts';
import type { Origin } from '../../../src/domain/origin.ts';
import { Servers } from '../../../src/domain/servers.ts';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import { Tracker } from '../../../src/domain/tracker.ts';
import { createUserName, type UserNames } from '../../../src/domain/user.ts';
import {
  type ExpositionFormat,
  OPENMETRICS_END,
  type Piece,
  renderRegistry,
} from '../../../src/metrics/exposition.ts';
import {
  createRegistry,
  type MetricsRegistry,
  registerMetrics,
} from '../../../src/metrics/registry.ts';
import type { SessionObserver } from '../../../src/metrics/session-metrics.ts';
import { type Moment, UserMetrics } from '../../../src/metrics/user-metrics.ts';
import { WebStats } from '../../../src/metrics/web-metrics.ts';
import { RecordStats } from '../../../src/records/record-queue.ts';
import type { Source } from '../../../src/sources/source.ts';
import { StateStats } from '../../../src/state/state-keeper.ts';
import {
  allocationKey,
  type ClientLink,
  payloadOf,
  statusOf,
  traffic,
} from '../../support/coturn-message.ts';

export const BUILD: BuildInfo = { version: '1.2.3', revision: 'abc1234', nodeVersion: 'v20.0.0' };

/** 2026-01-01T00:00:00Z, where the tracker's time is 0. */
export const WALL_OFFSET_MS = 1_767_225_600_000;

export const LINGER_MS = 5_000;

export interface ScrapedOptions {
  readonly maxUsers?: number;
  readonly maxRealms?: number;
  readonly label?: 'userid' | 'raw' | 'none';
  readonly names?: Partial<UserNames>;
}

/** A tracker whose messages come from the test, with every metric that is read from it. */
export class Scraped {
  readonly tracker: Tracker;
  readonly servers: Servers;
  readonly stats = new SourceStats('redis', 'status');
  readonly records = new RecordStats();
  readonly state = new StateStats();
  readonly web = new WebStats();
  readonly registry: MetricsRegistry;
  readonly observer: SessionObserver;
  readonly origin: Origin;
  readonly source: Source;
  nowMs = 1_000;
  isUp = true;
  #sessions = 0;

  constructor(options: ScrapedOptions = {}) {
    const maxUsers = options.maxUsers ?? 100;
    this.tracker = new Tracker({
      groupBy: 'user',
      lingerMs: LINGER_MS,
      userName: createUserName({ label: options.label ?? 'userid', restSeparator: ':' }),
      ...options.names,
      newSessionId: () => {
        this.#sessions += 1;
        return `session-${this.#sessions}`;
      },
      maxUsers,
      maxRealms: options.maxRealms ?? 100,
    });
    this.servers = new Servers({ ledger: this.tracker.ledger, forgetAfterMs: 86_400_000 });
    this.origin = this.tracker.openOrigin(this.stats, 'redis');
    this.source = fakeSource(this.stats, () => this.isUp);
    this.registry = createRegistry();
    this.observer = registerMetrics(this.registry, {
      tracker: this.tracker,
      servers: this.servers,
      sources: { all: [this.source], statsdb: [] },
      records: this.records,
      state: this.state,
      web: this.web,
      build: BUILD,
      maxUsers,
      nowMs: () => this.nowMs,
      wallOffsetMs: () => WALL_OFFSET_MS,
    });
  }

  /** Hands over one message as it is. */
  send(key: string, payload: string): this {
    this.tracker.receive(this.origin, key, payload, this.nowMs);
    return this;
  }

  /** Begins an allocation of `username` in `realm`. */
  begin(who: Who): this {
    return this.send(keyOf(who, 'status'), statusOf('new', who));
  }

  /** Reports a delta of both sides, what is received on one being sent on the other. */
  relay(who: Who, bytes: { received: number; sent: number }): this {
    const { received, sent } = bytes;
    return this.send(keyOf(who, 'traffic'), deltaOf(received, sent)).send(
      keyOf(who, 'traffic/peer'),
      deltaOf(sent, received),
    );
  }

  /** Ends an allocation. */
  end(who: Who): this {
    return this.send(keyOf(who, 'status'), 'deleted');
  }

  /** Lets time pass; sessions that finish are observed and, unless `keep`, released. */
  pass(ms: number, keep = false): this {
    this.nowMs += ms;
    this.tracker.expire(this.nowMs);
    for (const session of this.tracker.sessions.takeFinished()) {
      this.observer.observe(session);
      if (!keep) this.tracker.users.leave(session);
    }
    return this;
  }

  /** The whole exposition, as the metrics route puts it together. */
  async text(format: ExpositionFormat = 'text'): Promise<string> {
    const end = format === 'openmetrics' ? OPENMETRICS_END : '';
    return (await join(renderRegistry(this.registry, format))) + (await this.userText()) + end;
  }

  /** The tracker's time, and how it is told. */
  get moment(): Moment {
    return { nowMs: this.nowMs, wallOffsetMs: WALL_OFFSET_MS };
  }

  /** The per-user gauges. */
  userText(): Promise<string> {
    return joinPieces(new UserMetrics(this.tracker.users).pieces(0, this.moment));
  }
}

/** An allocation in the scripts of tests. */
export interface Who extends ClientLink {
  readonly realm: string;
  readonly username: string;
  /** Default 1. */
  readonly id?: number;
}

export function keyOf({ realm, username, id = 1 }: Who, topic: string): string {
  return `${allocationKey(username, id, realm)}/${topic}`;
}

/** A delta whose packets are of 100 bytes. */
export function deltaOf(received: number, sent: number): string {
  return payloadOf(traffic(received / 100, received, sent / 100, sent));
}

/** A source that does nothing and is up or not as it is told. */
export function fakeSource(stats: SourceStats, isUp: () => boolean): Source {
  return {
    stats,
    status: () => ({
      kind: 'redis',
      up: isUp(),
      ready: isUp(),
      detail: isUp() ? 'subscribed' : 'connection refused',
    }),
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
}

export async function join(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}

/** The text of pieces, in the order of their places. */
export async function joinPieces(pieces: AsyncIterable<Piece>): Promise<string> {
  const texts: string[] = [];
  for await (const { place, text } of pieces) texts[place] = (texts[place] ?? '') + text();
  return texts.join('');
}

/** An exposition without the metrics of the process, which are different each time. */
export function withoutProcess(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^(# (HELP|TYPE) )?(process|nodejs)_/.test(line))
    .join('\n');
}

/** A metric of an exposition, as its lines tell it. */
export interface Family {
  readonly name: string;
  readonly type: string;
  readonly lines: readonly string[];
}

/**
 * The families of an exposition in their order. Throws unless each begins with exactly one HELP and
 * one TYPE, holds only series of its own name and comes only once.
 */
export function familiesOf(text: string): Family[] {
  const families: { name: string; type: string; lines: string[] }[] = [];
  let helped = '';
  for (const line of text.split('\n')) {
    if (line === '' || line === '# EOF') continue;
    const [, keyword, name = '', type = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    const family = families.at(-1);
    if (keyword === 'HELP') {
      if (helped !== '') throw new Error(`HELP of ${helped} has no TYPE`);
      helped = name;
    } else if (keyword === 'TYPE') {
      if (helped !== name) throw new Error(`TYPE of ${name} does not follow its HELP`);
      if (families.some((other) => other.name === name)) throw new Error(`${name} comes twice`);
      families.push({ name, type, lines: [] });
      helped = '';
    } else {
      const series = /^[a-zA-Z0-9_:]+/.exec(line)?.[0] ?? '';
      const suffix = series.slice(family?.name.length ?? 0);
      const isOwn = family !== undefined && series.startsWith(family.name);
      if (!isOwn || !/^(_total|_bucket|_sum|_count)?$/.test(suffix)) {
        throw new Error(`${line} is not of ${family?.name}`);
      }
      family.lines.push(line);
    }
  }
  return families;
}
