import type {
  DataTransformerConfig,
  DynamicConfigValue,
} from '@grafana/grafana-foundation-sdk/dashboard';

/** A column of a table: the field it comes from, its heading, and how it is shown. */
export interface Column {
  readonly field: string;
  readonly heading: string;
  /** A unit id of Grafana; the panel's unit when left out. */
  readonly unit?: string;
  readonly links?: Record<string, unknown>[];
}

/** Keeps the columns, in their order and with their headings; other fields are left out. */
export function onlyColumns(columns: readonly Column[]): DataTransformerConfig[] {
  return [
    {
      id: 'filterFieldsByName',
      options: { include: { names: columns.map(({ field }) => field) } },
    },
    {
      id: 'organize',
      options: {
        excludeByName: {},
        indexByName: Object.fromEntries(columns.map(({ field }, index) => [field, index])),
        renameByName: Object.fromEntries(columns.map(({ field, heading }) => [field, heading])),
      },
    },
  ];
}

/** One table out of several instant queries, joined on the labels that they share. */
export const MERGE_QUERIES: DataTransformerConfig = { id: 'merge', options: {} };

/** Each log line, a JSON object, becomes a row with a field for each key. */
export const PARSE_LINES: DataTransformerConfig = {
  id: 'extractFields',
  options: { source: 'Line', format: 'json', replace: true, keepTime: false },
};

/** The field overrides that give each column its unit and links. */
export function columnOverrides(
  columns: readonly Column[],
): Array<{ heading: string; properties: DynamicConfigValue[] }> {
  return columns.flatMap(({ heading, unit, links }) => {
    const properties = [
      ...(unit === undefined ? [] : [{ id: 'unit', value: unit }]),
      ...(links === undefined ? [] : [{ id: 'links', value: links }]),
    ];
    return properties.length === 0 ? [] : [{ heading, properties }];
  });
}
