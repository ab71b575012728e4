/** The drawing area of a sparkline, in units of its `viewBox`; it is stretched to its place. */
export const SPARKLINE_WIDTH = 100;
export const SPARKLINE_HEIGHT = 30;

/** Room for the stroke above the highest and below the lowest point. */
const MARGIN = 2;

/** How {@link drawSparkline} draws. */
export interface SparklineOptions {
  /** How many points there would be when the history is full; fewer start further right. */
  readonly length: number;
  /** The value at the upper edge. */
  readonly top: number;
}

/** The two SVG paths of a sparkline: the line, and the area between it and zero. */
export interface Sparkline {
  readonly line: string;
  readonly area: string;
}

/** Draws numbers that are not negative, the newest at the right edge. */
export function drawSparkline(values: readonly number[], options: SparklineOptions): Sparkline {
  const step = SPARKLINE_WIDTH / Math.max(1, options.length - 1);
  const floor = SPARKLINE_HEIGHT - MARGIN;
  const points = values.map((value, index) => {
    const x = SPARKLINE_WIDTH - (values.length - 1 - index) * step;
    const share = options.top > 0 ? Math.min(1, value / options.top) : 0;
    return `${round(x)} ${round(floor - share * (floor - MARGIN))}`;
  });
  // A path of a single point draws nothing, so there is none.
  if (points.length < 2) return { line: '', area: '' };
  const line = `M${points.join('L')}`;
  const left = round(SPARKLINE_WIDTH - (values.length - 1) * step);
  const bottom = SPARKLINE_HEIGHT;
  return { line, area: `${line}L${SPARKLINE_WIDTH} ${bottom}L${left} ${bottom}Z` };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
