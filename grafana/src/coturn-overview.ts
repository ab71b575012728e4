import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { createDashboard } from './dashboard.ts';
import { OVERVIEW_UID } from './links.ts';
import { nowRow, serversRow } from './overview/now.ts';
import { distributionRow, sessionsRow } from './overview/sessions.ts';
import { sourceStates } from './overview/sources.ts';
import { bandwidthRow, unallocatedRow } from './overview/traffic.ts';
import { usersRow } from './overview/users.ts';
import {
  exporterVariables,
  prometheusVariable,
  realmVariable,
  serverVariable,
} from './variables.ts';

/** The dashboard *coturn overview*: how much is relayed, by whom, and is it healthy. */
export function coturnOverview(): Dashboard {
  const servers = serversRow();
  return createDashboard({
    uid: OVERVIEW_UID,
    title: 'coturn overview',
    description:
      'Relay bandwidth, sessions, users and servers of coturn. Received and sent are always meant from coturn.',
    last: '6h',
    variables: [prometheusVariable(), ...exporterVariables(), realmVariable(), serverVariable()],
    rows: [
      nowRow(),
      bandwidthRow(),
      sessionsRow(),
      distributionRow(),
      usersRow(),
      { ...servers, panels: [...servers.panels, sourceStates()] },
      unallocatedRow(),
    ],
  });
}
