import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { createDashboard } from './dashboard.ts';
import { SESSIONS_UID } from './links.ts';
import { detailsRow, recordsRow, topRow } from './sessions/tables.ts';
import { overTimeRow, totalsRow } from './sessions/totals.ts';
import { lokiRealmVariable, lokiVariable, matchVariable, textVariable } from './variables.ts';

/** The dashboard *coturn sessions*: the records of finished sessions, from Loki. */
export function coturnSessions(): Dashboard {
  return createDashboard({
    uid: SESSIONS_UID,
    title: 'coturn sessions',
    description:
      'One record for each finished session, in Loki: who relayed how much, and how it ended.',
    last: '24h',
    variables: [
      lokiVariable(),
      lokiRealmVariable(),
      matchVariable(),
      textVariable('user', {
        label: 'User',
        description: 'User name, or part of it; empty for all. Upper and lower case differ.',
      }),
      textVariable('session', {
        label: 'Session id',
        description: 'Part of a session id, as exemplars and tables show it; empty for all.',
      }),
      // Not named `server`: the menu hands over the variables of the other dashboards, and their
      // `server` may be a list or "All".
      textVariable('turn_server', {
        label: 'Server',
        description: "Part of a coturn server's name or address; empty for all.",
      }),
      textVariable('records_replica', {
        label: 'Replica',
        description: 'Of a pair both record every session: choose one by its --records.replica.',
      }),
    ],
    rows: [totalsRow(), recordsRow(), overTimeRow(), topRow(), detailsRow()],
  });
}
