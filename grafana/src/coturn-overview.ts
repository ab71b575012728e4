import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { coturnRestarts, exporterStarts } from './annotations.ts';
import { createDashboard } from './dashboard.ts';
import { OVERVIEW_UID } from './links.ts';
import { capacityRow } from './overview/capacity.ts';
import { moneyRow, PRICE_VARIABLE } from './overview/money.ts';
import { nowRow, serversRow } from './overview/now.ts';
import { ownEndpointRow } from './overview/own-endpoint.ts';
import { relayNeedRow } from './overview/relay-need.ts';
import { distributionRow, sessionsRow } from './overview/sessions.ts';
import { sourceStates } from './overview/sources.ts';
import { bandwidthRow, unallocatedRow } from './overview/traffic.ts';
import { usersRow } from './overview/users.ts';
import {
  exporterVariables,
  prometheusVariable,
  realmVariable,
  serverVariable,
  textVariable,
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
    annotations: [exporterStarts(), coturnRestarts()],
    variables: [
      prometheusVariable(),
      ...exporterVariables(),
      realmVariable(),
      serverVariable(),
      textVariable(PRICE_VARIABLE, {
        label: 'Price per GB',
        description: 'What a GB (1e9 bytes) on the client side costs, either direction.',
        value: '0.05',
      }),
    ],
    rows: [
      nowRow(),
      bandwidthRow(),
      capacityRow(),
      relayNeedRow(),
      sessionsRow(),
      distributionRow(),
      usersRow(),
      { ...servers, panels: [...servers.panels, sourceStates()] },
      unallocatedRow(),
      moneyRow(),
      ownEndpointRow(),
    ],
  });
}
