import { END_REASONS, type Ledger } from '../domain/ledger.ts';
import { RELAYED } from '../domain/relayed.ts';
import type { Session } from '../domain/session.ts';
import { durationSeconds } from '../domain/session-record.ts';
import { labelOf } from '../domain/user.ts';
import {
  type Exemplar,
  labelPairs,
  registerCounter,
  registerGauge,
  registerOwn,
  type SampleLine,
  withBraces,
} from './live-metric.ts';
import type { MetricsRegistry } from './registry.ts';

/** From a failed call to a working day. */
const DURATION_BUCKETS = [1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800];

/** From a call that never relayed (some STUN messages) to hours of video. */
const BYTE_BUCKETS = [1e3, 1e4, 1e5, 1e6, 5e6, 1e7, 5e7, 1e8, 2.5e8, 5e8, 1e9, 2.5e9, 1e10, 1e11];

/** Takes each session once, when it has finished. */
export interface SessionObserver {
  observe(session: Session): void;
}

/** Registers what is known of sessions; user names are only in the metrics of users. */
export function registerSessionMetrics(registry: MetricsRegistry, ledger: Ledger): SessionObserver {
  registerGauge(registry, {
    name: 'coturn_sessions',
    help: 'Sessions that exist now; a session is the overlapping allocations of one user. relayed is what is known so far.',
    labels: ['realm', 'relayed'],
    *read() {
      for (const { realm, live } of ledger.realms()) {
        for (const relayed of RELAYED) yield [{ realm, relayed }, live[relayed]];
      }
    },
  });
  registerCounter(registry, {
    name: 'coturn_sessions_finished_total',
    help: 'Sessions that finished, by reason and by whether anything was relayed.',
    labels: ['realm', 'reason', 'relayed'],
    *read() {
      for (const { realm, finished } of ledger.realms()) {
        for (const reason of END_REASONS) {
          for (const relayed of RELAYED)
            yield [{ realm, reason, relayed }, finished[relayed][reason]];
        }
      }
    },
  });
  return registerHistograms(registry, ledger);
}

function registerHistograms(registry: MetricsRegistry, ledger: Ledger): SessionObserver {
  function* realms(): Generator<string> {
    for (const { realm } of ledger.realms()) yield realm;
  }
  const duration = registerHistogram(registry, {
    name: 'coturn_session_duration_seconds',
    help: 'Duration of finished sessions in seconds.',
    buckets: DURATION_BUCKETS,
    realms,
  });
  const bytes = registerHistogram(registry, {
    name: 'coturn_session_relayed_bytes',
    help: 'Bytes of finished sessions, received and sent together, on the client side.',
    buckets: BYTE_BUCKETS,
    realms,
  });
  return {
    observe(session) {
      const { receivedBytes, sentBytes } = session.client;
      const { realm } = session.account;
      const id = labelOf(session.id);
      duration(realm, durationSeconds(session), id);
      bytes(realm, receivedBytes + sentBytes, id);
    },
  };
}

/** What {@link registerHistogram} shows. */
interface HistogramMetric {
  readonly name: string;
  readonly help: string;
  /** Upper bounds, ascending; `+Inf` comes by itself. */
  readonly buckets: readonly number[];
  /** Realms that are shown, also before anything was observed: `rate()` misses a first value. */
  readonly realms: () => Iterable<string>;
}

/** What was seen in one realm. */
interface Series {
  readonly counts: Float64Array;
  readonly exemplars: (Exemplar | undefined)[];
  sum: number;
}

/**
 * Registers a histogram by realm whose buckets remember a session each. Unlike that of prom-client
 * it is read line by line, so that a thousand realms do not hold up the event loop.
 *
 * @returns what takes a value
 */
function registerHistogram(
  registry: MetricsRegistry,
  { name, help, buckets, realms }: HistogramMetric,
): (realm: string, value: number, sessionId: string) => void {
  const known = new Map<string, Series>();
  const bounds = [...buckets.map(String), '+Inf'];
  const seriesOf = (realm: string): Series => {
    let series = known.get(realm);
    if (series === undefined) {
      series = { counts: new Float64Array(bounds.length), exemplars: [], sum: 0 };
      known.set(realm, series);
    }
    return series;
  };
  function* lines(): Generator<SampleLine> {
    for (const realm of realms()) seriesOf(realm);
    for (const [realm, { counts, exemplars, sum }] of known) {
      const pair = labelPairs({ realm });
      let count = 0;
      for (const [index, le] of bounds.entries()) {
        count += counts[index] ?? 0;
        const exemplar = exemplars[index];
        const line = { suffix: '_bucket', labels: `{le="${le}",${pair}}`, value: count };
        yield exemplar === undefined ? line : { ...line, exemplar };
      }
      yield { suffix: '_sum', labels: withBraces(pair), value: sum };
      yield { suffix: '_count', labels: withBraces(pair), value: count };
    }
  }
  registerOwn(registry, { name, help, type: 'histogram', labels: ['realm'], lines });
  return (realm, value, sessionId) => {
    const series = seriesOf(realm);
    const above = buckets.findIndex((bound) => value <= bound);
    const index = above === -1 ? buckets.length : above;
    series.counts[index] = (series.counts[index] ?? 0) + 1;
    series.sum += value;
    series.exemplars[index] = {
      labels: { session_id: sessionId },
      value,
      atSeconds: Date.now() / 1000,
    };
  };
}
