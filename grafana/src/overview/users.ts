import { MERGE_QUERIES } from '../columns.ts';
import type { Row } from '../dashboard.ts';
import { userLineLink, userSessionsLink } from '../links.ts';
import { TRAFFIC_INTERVAL, table, timeSeries } from '../panels.ts';
import { promRange, promTable, REALM } from '../queries.ts';

/** Who is on the relay now. */
export function usersRow(): Row {
  return { title: 'Users on the relay now', panels: [topUsers(), topUserBandwidth()] };
}

const TOP_USERS = 20;
const LINES = 10;

function topUsers() {
  const of = (metric: string) => `sum by (realm, user) (${metric}{${REALM}})`;
  const volume = `${of('coturn_user_session_received_bytes')} + ${of('coturn_user_session_sent_bytes')}`;
  // The other columns are cut to the same users, so that nothing else fills the table.
  const ofTop = (expr: string) => `${expr} and on (realm, user) topk(${TOP_USERS}, ${volume})`;
  const start = `min by (realm, user) (coturn_user_session_start_time_seconds{${REALM}})`;
  return table({
    title: 'Top users now',
    description:
      'Users with live sessions that moved most, client side, since their earliest live session began. ~other stands for all users beyond the cap. A user leads to the sessions dashboard.',
    unit: 'short',
    span: 24,
    height: 10,
    targets: [
      promTable(`topk(${TOP_USERS}, ${volume})`, 'A'),
      promTable(ofTop(of('coturn_user_session_received_bytes')), 'B'),
      promTable(ofTop(of('coturn_user_session_sent_bytes')), 'C'),
      promTable(ofTop(of('coturn_user_sessions')), 'D'),
      promTable(ofTop(of('coturn_user_allocations')), 'E'),
      promTable(ofTop(`time() - ${start}`), 'F'),
    ],
    transformations: [MERGE_QUERIES],
    columns: [
      { field: 'user', heading: 'User', links: userSessionsLink('User', 'Realm') },
      { field: 'realm', heading: 'Realm' },
      { field: 'Value #A', heading: 'Relayed', unit: 'bytes' },
      { field: 'Value #B', heading: 'From the user', unit: 'bytes' },
      { field: 'Value #C', heading: 'To the user', unit: 'bytes' },
      { field: 'Value #D', heading: 'Sessions' },
      { field: 'Value #E', heading: 'Allocations' },
      { field: 'Value #F', heading: 'For', unit: 'dtdurations' },
    ],
    sortBy: 'Relayed',
  });
}

function topUserBandwidth() {
  // deriv, not rate: these are gauges that fall when one of a user's sessions ends, and rate would
  // take what is left for growth. A fall shows as zero.
  const growth = (metric: string) => `deriv(${metric}{${REALM}}[$__rate_interval])`;
  const speed = `${growth('coturn_user_session_received_bytes')} + ${growth('coturn_user_session_sent_bytes')}`;
  return timeSeries({
    title: 'Bandwidth of the top users',
    description: `The ${LINES} users that moved most at each point, client side, both directions.`,
    unit: 'bps',
    interval: TRAFFIC_INTERVAL,
    span: 24,
    targets: [
      promRange(
        `topk(${LINES}, sum by (realm, user) (clamp_min(${speed}, 0))) * 8`,
        '{{realm}} {{user}}',
      ),
    ],
  }).overrideByFieldType('number', [{ id: 'links', value: userLineLink() }]);
}
