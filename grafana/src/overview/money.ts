import { MERGE_QUERIES } from '../columns.ts';
import type { Row } from '../dashboard.ts';
import { stat, table } from '../panels.ts';
import { promTable, SERVER } from '../queries.ts';

/** The variable with the price of a GB. */
export const PRICE_VARIABLE = 'price';

const MONTH = 'Choose "This month so far" or "Previous month" as the time range for a month.';
const BILL =
  'An estimate from counters; the bill itself comes from the records (coturn sessions, or the files).';

/** What the relayed traffic costs. */
export function moneyRow(): Row {
  return { title: 'Money', panels: [byRealm(), cost()] };
}

function gigabytes(direction: 'received' | 'sent', by = ''): string {
  return `sum${by} (increase(coturn_client_${direction}_bytes_total{${SERVER}}[$__range])) / 1e9`;
}

function both(by = ''): string {
  return `(${gigabytes('received', by)} + ${gigabytes('sent', by)}) * $${PRICE_VARIABLE}`;
}

function byRealm() {
  return table({
    title: 'GB and cost by realm',
    description: `Traffic of the range, client side, in GB of 1e9 bytes, and both directions times the price per GB above. ${MONTH} ${BILL}`,
    unit: 'decgbytes',
    span: 18,
    targets: [
      promTable(gigabytes('received', ' by (realm)'), 'A'),
      promTable(gigabytes('sent', ' by (realm)'), 'B'),
      promTable(both(' by (realm)'), 'C'),
    ],
    transformations: [MERGE_QUERIES],
    columns: [
      { field: 'realm', heading: 'Realm' },
      { field: 'Value #A', heading: 'From clients' },
      { field: 'Value #B', heading: 'To clients' },
      { field: 'Value #C', heading: 'Cost', unit: 'short' },
    ],
    sortBy: 'Cost',
  });
}

function cost() {
  return stat({
    title: 'Cost of the range',
    description: `All chosen realms and servers together, in the currency of the price. ${MONTH}`,
    unit: 'short',
    span: 6,
    height: 9,
    targets: [promTable(both(), 'A')],
  });
}
