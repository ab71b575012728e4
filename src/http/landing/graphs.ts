import { type LandingHistory, type SampledRow, SHOWN_SAMPLES } from './history.ts';
import { formatBits, formatCount } from './html.ts';
import { CLIENT_COLUMNS, PEER_COLUMNS } from './sampler.ts';

/** A number of now, and how it went in the last five minutes. */
export interface Figure {
  readonly text: string;
  readonly graph: Graph;
}

/** Bandwidth of one side of the relay; `detail` tells its two directions apart. */
export interface SideFigure extends Figure {
  readonly detail: string;
}

/** A sparkline: the SVG paths of its line and of the area below, and what it shows in words. */
export interface Graph {
  readonly line: string;
  readonly area: string;
  readonly label: string;
}

/** The drawing area of a sparkline, in units of its `viewBox`; it is stretched to its place. */
export const GRAPH_WIDTH = 100;
export const GRAPH_HEIGHT = 30;

/** Room for the stroke above the highest and below the lowest point. */
const MARGIN = 2;
/** Points of a graph whose history is full: the samples, and the present. */
const LENGTH = SHOWN_SAMPLES + 1;

/** Makes figures of the rows of one moment. */
export class LandingGraphs {
  readonly #history: LandingHistory;
  readonly #nowMs: number;

  constructor(history: LandingHistory, nowMs: number) {
    this.#history = history;
    this.#nowMs = nowMs;
  }

  /** How fast the counters in some columns of the row grow now, per second, all together. */
  rate(row: SampledRow, columns: readonly number[]): number {
    const rates = this.#history.rates(row, this.#nowMs);
    return columns.reduce((sum, column) => sum + (rates[column] ?? 0), 0);
  }

  /** The gauge in a column of the row. */
  gauge(row: SampledRow, { column, what }: { column: number; what: string }): Figure {
    const values = [...this.#history.pastValues(row, column), row[1][column] ?? 0];
    const label = labelOf(what, values, formatCount);
    const graph = { ...drawSparkline(values, Math.max(...values)), label };
    return { text: formatCount(values.at(-1) ?? 0), graph };
  }

  /** Both sides of the relay of a row, to the same scale; `without` what some other rows relayed. */
  sides(
    row: SampledRow,
    { what, without = [] }: { what: string; without?: readonly SampledRow[] },
  ): { readonly client: SideFigure; readonly peer: SideFigure } {
    const bits = (columns: readonly number[]): number[] =>
      without.reduce(
        (rest, other) =>
          this.#bits(other, columns).map((part, at) => Math.max(0, (rest[at] ?? 0) - part)),
        this.#bits(row, columns),
      );
    const client = bits(CLIENT_COLUMNS);
    const peer = bits(PEER_COLUMNS);
    const top = Math.max(...client, ...peer);
    const side = (name: string, values: readonly number[], columns: readonly number[]) => {
      const [received, sent] = columns.map((column) => formatBits(bits([column]).at(-1) ?? 0));
      const label = labelOf(`${name} of ${what}`, values, formatBits);
      const graph = { ...drawSparkline(values, top), label };
      const detail = `in ${received}, out ${sent}`;
      return { text: formatBits(values.at(-1) ?? 0), detail, graph };
    };
    return {
      client: side('Client side', client, CLIENT_COLUMNS),
      peer: side('Peer side', peer, PEER_COLUMNS),
    };
  }

  /** Bits per second at each sample shown, and now. */
  #bits(row: SampledRow, columns: readonly number[]): number[] {
    const bytes = [...this.#history.pastRates(row, columns), this.rate(row, columns)];
    return bytes.map((each) => 8 * each);
  }
}

/** `Client side of example.org, last 5 minutes: 0 bit/s to 2.00 Mbit/s, now 1.00 Mbit/s` */
function labelOf(
  what: string,
  values: readonly number[],
  format: (value: number) => string,
): string {
  const range = `${format(Math.min(...values))} to ${format(Math.max(...values))}`;
  return `${what}, last 5 minutes: ${range}, now ${format(values.at(-1) ?? 0)}`;
}

/**
 * Draws numbers that are not negative, the newest at the right edge.
 *
 * @param top the value at the upper edge
 */
export function drawSparkline(
  values: readonly number[],
  top: number,
): { readonly line: string; readonly area: string } {
  // A path of a single point draws nothing, so there is none.
  if (values.length < 2) return { line: '', area: '' };
  const floor = GRAPH_HEIGHT - MARGIN;
  const xOf = (index: number): number =>
    round(GRAPH_WIDTH - ((values.length - 1 - index) * GRAPH_WIDTH) / (LENGTH - 1));
  const points = values.map((value, index) => {
    const share = top > 0 ? Math.min(1, value / top) : 0;
    return `${xOf(index)} ${round(floor - share * (floor - MARGIN))}`;
  });
  const line = `M${points.join('L')}`;
  return { line, area: `${line}L${GRAPH_WIDTH} ${GRAPH_HEIGHT}L${xOf(0)} ${GRAPH_HEIGHT}Z` };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
