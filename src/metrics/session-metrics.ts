import { END_REASONS, type Ledger } from '../domain/ledger.ts';
import { RELAYED } from '../domain/relayed.ts';
import type { Session } from '../domain/session.ts';
import { durationSeconds } from '../domain/session-record.ts';
import { labelOf } from '../domain/user.ts';
import { registerHistogram } from './histogram.ts';
import { registerCounter, registerGauge } from './live-metric.ts';
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
