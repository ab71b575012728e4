import {
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StateTimelinePanel } from '@grafana/grafana-foundation-sdk/statetimeline';
import { EXPORTER, PROMETHEUS, promRange } from '../queries.ts';

/** Each source and exporter, up or down over time. */
export function sourceStates(): StateTimelinePanel {
  return new StateTimelinePanel()
    .title('Sources and exporters')
    .description(
      'A source is up while events can arrive: subscribed to Redis, or at least one coturn connected to the embedded statsdb. An exporter is up while Prometheus can scrape it.',
    )
    .unit('short')
    .datasource(PROMETHEUS)
    .targets([
      promRange(
        `max by (source, instance) (coturn_up{${EXPORTER}})`,
        'source {{source}} at {{instance}}',
      ),
      promRange(`max by (instance) (up{${EXPORTER}})`, 'exporter {{instance}}'),
    ])
    .span(24)
    .height(6)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .mappings([
      {
        type: MappingType.ValueToText,
        options: {
          '0': { text: 'down', color: 'red', index: 0 },
          '1': { text: 'up', color: 'green', index: 1 },
        },
      },
    ]);
}
