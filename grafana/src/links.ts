import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard';

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

/** A field's data link: the sessions of the user named in the table's column `field`. */
export function userSessionsLink(field: string): Record<string, unknown>[] {
  return [
    dataLink('Sessions of this user', `var-user=\${__data.fields["${field}"]:percentencode}`),
  ];
}

/** The same for the lines of a graph that bear the label `user`. */
export function userLineLink(): Record<string, unknown>[] {
  return [dataLink('Sessions of this user', `var-user=\${__field.labels.user:percentencode}`)];
}

/** A field's data link: the one session whose id is in the table's column `field`. */
export function sessionLink(field: string): Record<string, unknown>[] {
  return [dataLink('This session', `var-session=\${__data.fields["${field}"]:percentencode}`)];
}

function dataLink(title: string, variable: string): Record<string, unknown> {
  const url = `/d/${SESSIONS_UID}/${SESSIONS_UID}?${variable}&\${__url_time_range}`;
  return { title, url, targetBlank: false };
}
