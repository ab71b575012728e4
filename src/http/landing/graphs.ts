import { type LandingHistory, type SampledRow, SHOWN_SAMPLES } from './history.ts';
import { formatBits, formatCount } from './html.ts';
import { CLIENT_COLUMNS, type LandingReading, PEER_COLUMNS } from './sampler.ts';
import { drawSparkline, type Sparkline } from './sparkline.ts';

/** A sparkline and what it shows, in words. */
export interface Graph extends Sparkline {
  readonly label: string;
}

/** The graphs of both sides of the relay. */
export interface SideGraphs {
  readonly client: Graph;
  readonly peer: Graph;
}

/** Those of the history, and one for the present. */
const LENGTH = SHOWN_SAMPLES + 1;

/** Draws the last five minutes of a reading's rows. */
export class LandingGraphs {
  readonly #history: LandingHistory;
  readonly #reading: LandingReading;

  constructor(history: LandingHistory, reading: LandingReading) {
    this.#history = history;
    this.#reading = reading;
  }

  /** How fast each counter of the row grows now, per second. */
  rates(row: SampledRow): number[] {
    return this.#history.rates(row, this.#reading.nowMs);
  }

  /** The gauge in a column of the row. */
  ofGauge(
    row: SampledRow,
    { column, what }: { readonly column: number; readonly what: string },
  ): Graph {
    const values = [...this.#history.pastValues(row, column), row[1][column] ?? 0];
    const top = Math.max(...values);
    return {
      ...drawSparkline(values, { length: LENGTH, top }),
      label: labelOf(what, values.map(formatCount), values),
    };
  }

  /** Bandwidth of both sides of the relay, to the same scale. */
  ofSides(row: SampledRow, what: string): SideGraphs {
    return drawSides(this.#bits(row, CLIENT_COLUMNS), this.#bits(row, PEER_COLUMNS), what);
  }

  /** The same of all realms but some, which costs the same however many there are. */
  ofRest(shown: readonly SampledRow[], what: string): SideGraphs {
    const [client, peer] = [CLIENT_COLUMNS, PEER_COLUMNS].map((columns) => {
      const rest = this.#bits(this.#reading.total, columns);
      for (const row of shown) {
        for (const [index, bits] of this.#bits(row, columns).entries()) {
          rest[index] = Math.max(0, (rest[index] ?? 0) - bits);
        }
      }
      return rest;
    });
    return drawSides(client ?? [], peer ?? [], what);
  }

  /** Bits per second at each sample shown, and now. */
  #bits(row: SampledRow, columns: readonly number[]): number[] {
    const now = this.rates(row);
    const present = columns.reduce((sum, column) => sum + (now[column] ?? 0), 0);
    return [...this.#history.pastRates(row, columns), present].map((bytes) => 8 * bytes);
  }
}

function drawSides(client: readonly number[], peer: readonly number[], what: string): SideGraphs {
  const top = Math.max(...client, ...peer);
  const draw = (bits: readonly number[], side: string): Graph => ({
    ...drawSparkline(bits, { length: LENGTH, top }),
    label: labelOf(`${side} of ${what}`, bits.map(formatBits), bits),
  });
  return { client: draw(client, 'Client side'), peer: draw(peer, 'Peer side') };
}

/** `Client side of example.org, last 5 minutes: 0 bit/s to 2.00 Mbit/s, now 1.00 Mbit/s` */
function labelOf(what: string, texts: readonly string[], values: readonly number[]): string {
  const least = texts[values.indexOf(Math.min(...values))] ?? '';
  const most = texts[values.indexOf(Math.max(...values))] ?? '';
  return `${what}, last 5 minutes: ${least} to ${most}, now ${texts.at(-1) ?? ''}`;
}
