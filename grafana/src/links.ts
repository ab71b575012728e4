import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard';
import { EXACTLY } from './records.ts';

/** The tag that all dashboards of this project bear; the menu in each lists them by it. */
export const TAG = 'coturn';
export const OVERVIEW_UID = 'coturn-overview';
export const SESSIONS_UID = 'coturn-sessions';
export const EXPORTER_UID = 'coturn-exporter';

/** The menu with the other dashboards; takes the time range and the chosen variables along. */
export function otherDashboards(): DashboardLinkBuilder {
  return new DashboardLinkBuilder('coturn dashboards')
    .type(DashboardLinkType.Dashboards)
    .tags([TAG])
    .includeVars(true)
    .keepTime(true);
}

/** A field's data link: the sessions of the user and realm named in these columns of the table. */
export function userSessionsLink(user: string, realm: string): Record<string, unknown>[] {
  const value = (field: string) => `\${__data.fields["${field}"]:percentencode}`;
  return [dataLink('Sessions of this user', ofUser(value(user), value(realm)))];
}

/** The same for the lines of a graph that bear the labels `realm` and `user`. */
export function userLineLink(): Record<string, unknown>[] {
  const value = (label: string) => `\${__field.labels.${label}:percentencode}`;
  return [dataLink('Sessions of this user', ofUser(value('user'), value('realm')))];
}

/** From a point of a graph by `realm` to the sessions that finished around that time. */
export function realmLineLink(): Record<string, unknown>[] {
  const realm = `var-realm=\${__field.labels.realm:percentencode}`;
  return [dataLink('Sessions of this realm then', realm, AROUND)];
}

/** The same for graphs by server. */
export function serverLineLink(): Record<string, unknown>[] {
  const server = `var-turn_server=\${__field.labels.server:percentencode}`;
  return [dataLink('Sessions on this server then', server, AROUND)];
}

/** A field's data link: the one session whose id is in the table's column `field`. */
export function sessionLink(field: string): Record<string, unknown>[] {
  return [dataLink('This session', `var-session=\${__data.fields["${field}"]:percentencode}`)];
}

function ofUser(user: string, realm: string): string {
  return `var-match=${EXACTLY}&var-user=${user}&var-realm=${realm}`;
}

/** An hour around the point that was clicked. */
const AROUND = `time=\${__value.time}&time.window=3600000`;

function dataLink(
  title: string,
  variables: string,
  time = `\${__url_time_range}`,
): Record<string, unknown> {
  const url = `/d/${SESSIONS_UID}/${SESSIONS_UID}?${variables}&${time}`;
  return { title, url, targetBlank: false };
}
