import { PanelBuilder as BarGaugePanel } from '@grafana/grafana-foundation-sdk/bargauge';
import {
  BarGaugeDisplayMode,
  ReduceDataOptionsBuilder,
  VizOrientation,
} from '@grafana/grafana-foundation-sdk/common';
import type { Row } from '../dashboard.ts';
import { stacked, stat, timeSeries } from '../panels.ts';
import { LOKI, lokiRange, lokiTable } from '../queries.ts';
import { countRecords, sumField } from '../records.ts';

const RANGE = '$__range';
const STEP = '$__auto';
const KNOWN = 'relayed=~"true|false"';
const OF_KNOWN = 'Those of which it is not known are left out.';

/** All chosen sessions in a few numbers. */
export function totalsRow(): Row {
  return {
    title: 'Finished sessions of the range',
    panels: [
      total('Sessions', 'Finished sessions that match the choice above.', {
        unit: 'short',
        expr: countRecords({ window: RANGE }),
      }),
      total('From clients', 'Sum of received_bytes: what clients sent through the relay.', {
        unit: 'bytes',
        expr: sumField('received_bytes', { window: RANGE }),
      }),
      total('To clients', 'Sum of sent_bytes: what the relay sent to clients.', {
        unit: 'bytes',
        expr: sumField('sent_bytes', { window: RANGE }),
      }),
      total('Time on the relay', 'Sum of duration_seconds.', {
        unit: 'dtdurations',
        expr: sumField('duration_seconds', { window: RANGE }),
      }),
      total('Needed the relay', `Share of the sessions that relayed data. ${OF_KNOWN}`, {
        unit: 'percentunit',
        expr: `${countRecords({ window: RANGE, filter: 'relayed="true"' })} / ${countRecords({ window: RANGE, filter: KNOWN })}`,
      }),
      total('Incomplete', 'Sessions whose bytes are not all accounted for.', {
        unit: 'short',
        expr: countRecords({ window: RANGE, filter: 'complete="false"' }),
      }),
    ],
  };
}

/** How it went over time. */
export function overTimeRow(): Row {
  return { title: 'Over time', panels: [byReason(), byRealm(), reasons(), relayShare()] };
}

function total(title: string, description: string, of: { unit: string; expr: string }) {
  return stat({
    title,
    description,
    unit: of.unit,
    datasource: LOKI,
    targets: [lokiTable(of.expr, 'A')],
  }).noValue('0');
}

function byReason() {
  return stacked({
    title: 'Sessions by end reason',
    description:
      'Finished sessions per step. Anything but deleted is an end that coturn did not announce.',
    unit: 'short',
    datasource: LOKI,
    targets: [lokiRange(countRecords({ window: STEP, by: 'reason' }), '{{reason}}')],
  });
}

function byRealm() {
  return stacked({
    title: 'Traffic by realm',
    description:
      'Bytes of the sessions that finished in each step, client side: a long session counts when it ends.',
    unit: 'bytes',
    datasource: LOKI,
    targets: [
      lokiRange(
        sumField('received_bytes', { window: STEP, by: 'realm' }),
        '{{realm}} from clients',
      ),
      lokiRange(sumField('sent_bytes', { window: STEP, by: 'realm' }), '{{realm}} to clients'),
    ],
  });
}

function reasons(): BarGaugePanel {
  return new BarGaugePanel()
    .title('End reasons')
    .description('How the sessions of the range ended.')
    .unit('short')
    .datasource(LOKI)
    .targets([lokiTable(countRecords({ window: RANGE, by: 'reason' }), 'A')])
    .span(12)
    .height(8)
    .displayMode(BarGaugeDisplayMode.Gradient)
    .orientation(VizOrientation.Horizontal)
    .reduceOptions(new ReduceDataOptionsBuilder().values(true).calcs(['lastNotNull']).fields(''));
}

function relayShare() {
  const all = countRecords({ window: STEP, by: 'realm', filter: KNOWN });
  const relayed = countRecords({ window: STEP, by: 'realm', filter: 'relayed="true"' });
  return timeSeries({
    title: 'Share of sessions that needed the relay',
    description: `Sessions that relayed data, of all that finished in the step. ${OF_KNOWN}`,
    unit: 'percentunit',
    datasource: LOKI,
    targets: [lokiRange(`${relayed} / ${all}`, '{{realm}}')],
  })
    .min(0)
    .max(1);
}
