import { PanelBuilder as LogsPanel } from '@grafana/grafana-foundation-sdk/logs';
import { type Column, MERGE_QUERIES, PARSE_LINES } from '../columns.ts';
import type { Row } from '../dashboard.ts';
import { sessionLink, userSessionsLink } from '../links.ts';
import { table } from '../panels.ts';
import { LOKI, lokiLines, lokiTable } from '../queries.ts';
import { type Grouping, records, recordsWith, sumField, topRecords } from '../records.ts';

const MAX_LINES = 1000;
const TOP = 20;
const SERIES_NOTE =
  'Loki answers with at most max_query_series series (500 by default): raise it, or choose a shorter range.';

const USER: Column = { field: 'user', heading: 'User', links: userSessionsLink('User', 'Realm') };
const SESSION: Column = {
  field: 'session_id',
  heading: 'Session',
  links: sessionLink('Session'),
};
const REALM: Column = { field: 'realm', heading: 'Realm' };
const REASON: Column = { field: 'reason', heading: 'Reason' };

const RECORD_COLUMNS: readonly Column[] = [
  { field: 'end', heading: 'Ended', unit: 'dateTimeAsLocal' },
  USER,
  REALM,
  { field: 'duration_seconds', heading: 'Duration', unit: 'dtdurations' },
  { field: 'received_bytes', heading: 'From the user', unit: 'bytes' },
  { field: 'sent_bytes', heading: 'To the user', unit: 'bytes' },
  { field: 'relayed', heading: 'Relayed' },
  { field: 'transport', heading: 'Transport' },
  { field: 'tls', heading: 'TLS' },
  { field: 'allocations', heading: 'Allocations' },
  REASON,
  { field: 'complete', heading: 'Complete' },
  { field: 'missed_bytes', heading: 'Missed', unit: 'bytes' },
  { field: 'server', heading: 'Server' },
  { field: 'client', heading: 'Client' },
  SESSION,
];

// The times in a record are RFC 3339 texts.
const PARSE_TIMES = {
  id: 'convertFieldType',
  options: { conversions: [{ targetField: 'end', destinationType: 'time' }], fields: {} },
};

/** The records themselves. */
export function recordsRow(): Row {
  return { title: 'Sessions', panels: [sessions()] };
}

/** Who moved how much, and the extremes. */
export function topRow(): Row {
  return { title: 'Top', panels: [users(), realms(), longest(), heaviest()] };
}

/** What is not as it should be, and the raw lines. */
export function detailsRow(): Row {
  return { title: 'Details', panels: [incomplete(), raw()] };
}

function sessions() {
  return table({
    title: 'Session records',
    description: `The newest ${MAX_LINES} finished sessions. A user leads to all sessions of that user, a session id to that session alone.`,
    unit: 'short',
    datasource: LOKI,
    span: 24,
    height: 14,
    targets: [lokiLines(records(), MAX_LINES)],
    transformations: [PARSE_LINES, PARSE_TIMES],
    columns: RECORD_COLUMNS,
    sortBy: 'Ended',
  });
}

function users() {
  const by: Grouping = { window: '$__range', by: 'realm, user' };
  return table({
    title: 'Traffic per user',
    description: `The ${TOP} users that received most and the ${TOP} that sent most in the sessions that finished in the range. ${SERIES_NOTE}`,
    unit: 'bytes',
    datasource: LOKI,
    targets: [
      lokiTable(`topk(${TOP}, ${sumField('received_bytes', by)})`, 'A'),
      lokiTable(`topk(${TOP}, ${sumField('sent_bytes', by)})`, 'B'),
    ],
    transformations: [MERGE_QUERIES],
    columns: [
      USER,
      REALM,
      { field: 'Value #A', heading: 'From the user' },
      { field: 'Value #B', heading: 'To the user' },
    ],
    sortBy: 'To the user',
  });
}

function realms() {
  const by: Grouping = { window: '$__range', by: 'realm' };
  return table({
    title: 'Traffic per realm',
    description:
      'Sums over the sessions that finished in the range. The two sides carry the same media once each.',
    unit: 'bytes',
    datasource: LOKI,
    targets: [
      lokiTable(sumField('received_bytes', by), 'A'),
      lokiTable(sumField('sent_bytes', by), 'B'),
      lokiTable(sumField('peer_received_bytes', by), 'C'),
      lokiTable(sumField('peer_sent_bytes', by), 'D'),
    ],
    transformations: [MERGE_QUERIES],
    columns: [
      REALM,
      { field: 'Value #A', heading: 'From clients' },
      { field: 'Value #B', heading: 'To clients' },
      { field: 'Value #C', heading: 'From peers' },
      { field: 'Value #D', heading: 'To peers' },
    ],
    sortBy: 'To clients',
  });
}

function longest() {
  return table({
    title: 'Longest sessions',
    description: `The ${TOP} longest sessions that finished in the range. ${SERIES_NOTE}`,
    unit: 'short',
    datasource: LOKI,
    targets: [lokiTable(topRecords('duration_seconds', TOP), 'A')],
    transformations: [MERGE_QUERIES],
    columns: [
      USER,
      REALM,
      { field: 'Value #A', heading: 'Duration', unit: 'dtdurations' },
      REASON,
      SESSION,
    ],
    sortBy: 'Duration',
  });
}

function heaviest() {
  return table({
    title: 'Heaviest sessions',
    description: `The ${TOP} sessions to whose clients most was sent. ${SERIES_NOTE}`,
    unit: 'short',
    datasource: LOKI,
    targets: [lokiTable(topRecords('sent_bytes', TOP), 'A')],
    transformations: [MERGE_QUERIES],
    columns: [
      USER,
      REALM,
      { field: 'Value #A', heading: 'To the user', unit: 'bytes' },
      REASON,
      SESSION,
    ],
    sortBy: 'To the user',
  });
}

function incomplete() {
  return table({
    title: 'Incomplete records',
    description:
      'Sessions whose bytes are not all accounted for: reports were lost and coturn gave no total. See "incomplete records" in the runbook.',
    unit: 'short',
    datasource: LOKI,
    span: 24,
    targets: [lokiLines(recordsWith('"complete":false'), MAX_LINES)],
    transformations: [PARSE_LINES, PARSE_TIMES],
    columns: RECORD_COLUMNS,
    sortBy: 'Ended',
  });
}

function raw(): LogsPanel {
  return new LogsPanel()
    .title('Records as written')
    .description('The JSON lines with all their fields.')
    .datasource(LOKI)
    .targets([lokiLines(records(), 100)])
    .span(24)
    .height(10)
    .showTime(true)
    .wrapLogMessage(true)
    .prettifyLogMessage(true)
    .enableLogDetails(true);
}
