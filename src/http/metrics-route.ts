import type { Users } from '../domain/user.ts';
import {
  CONTENT_TYPES,
  type ExpositionFormat,
  OPENMETRICS_END,
  type Piece,
  renderRegistry,
} from '../metrics/exposition.ts';
import type { MetricsRegistry } from '../metrics/registry.ts';
import { UserMetrics } from '../metrics/user-metrics.ts';
import { BodyMemory } from './body-memory.ts';
import { Gzip } from './gzip.ts';
import type { Route } from './route.ts';

/** What {@link createMetricsRoute} shows. */
export interface MetricsRouteOptions {
  readonly registry: MetricsRegistry;
  readonly users: Users;
  /** False with `--user.label none`. */
  readonly hasUserSeries: boolean;
  readonly nowMs: () => number;
  /** What to add to `nowMs` to get Unix time in ms. */
  readonly wallOffsetMs: () => number;
}

/** The metrics, and whether somebody waits for them. */
export interface MetricsRoute extends Route {
  readonly isRendering: boolean;
}

type Encoding = 'gzip' | 'identity';

interface Body {
  readonly pieces: readonly Uint8Array[];
  /** Nobody reads it any more. */
  readonly free?: () => void;
}

/** What all who wait for it share. */
interface Rendering {
  readonly body: Promise<Body>;
  readers: number;
}

/**
 * Serves the metrics: text 0.0.4, or OpenMetrics 1.0.0 for those who prefer it. There is one
 * rendering at a time, and all who wait for the same one share it, so that many scrapes cost no
 * more than one; an answer may thus have begun a moment before its request.
 */
export function createMetricsRoute(options: MetricsRouteOptions): MetricsRoute {
  const running = new Map<string, Rendering>();
  const gzip = new Gzip();
  const memory = new BodyMemory();
  const render = createRenderer(options);
  let last: Promise<unknown> = Promise.resolve();
  const begin = (format: ExpositionFormat, encoding: Encoding): Rendering => {
    const key = `${format} ${encoding}`;
    const before = last;
    const body = (async () => {
      await before;
      const pieces = render(format);
      if (encoding === 'identity') return await encodePlain(pieces, memory);
      return { pieces: await gzip.encode(pieces) };
    })().finally(() => running.delete(key));
    last = body.catch(() => undefined);
    const rendering = { body, readers: 0 };
    running.set(key, rendering);
    return rendering;
  };
  const share = async (format: ExpositionFormat, encoding: Encoding, gone: AbortSignal) => {
    const rendering = running.get(`${format} ${encoding}`) ?? begin(format, encoding);
    rendering.readers += 1;
    const { pieces, free } = await rendering.body;
    const leave = (): void => {
      rendering.readers -= 1;
      if (rendering.readers === 0) free?.();
    };
    if (gone.aborted) leave();
    else gone.addEventListener('abort', leave, { once: true });
    return pieces;
  };
  return {
    kind: 'page',
    get isRendering() {
      return running.size > 0;
    },
    async answer({ accept, acceptEncoding, isHead, gone }) {
      const format = preferredFormat(accept);
      const encoding = takesGzip(acceptEncoding) ? 'gzip' : 'identity';
      const headers = {
        'content-type': CONTENT_TYPES[format],
        vary: 'Accept, Accept-Encoding',
        ...(encoding === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
      };
      return { status: 200, headers, body: isHead ? [] : await share(format, encoding, gone) };
    },
  };
}

/** Makes the pieces of an exposition. */
function createRenderer(options: MetricsRouteOptions) {
  const { registry, users, hasUserSeries, nowMs, wallOffsetMs } = options;
  const ofUsers = new UserMetrics(users);
  return async function* render(format: ExpositionFormat): AsyncGenerator<Piece> {
    for await (const text of renderRegistry(registry, format)) yield { place: 0, text: () => text };
    if (hasUserSeries) yield* ofUsers.pieces(1, { nowMs: nowMs(), wallOffsetMs: wallOffsetMs() });
    if (format === 'openmetrics') {
      yield { place: Number.POSITIVE_INFINITY, text: () => OPENMETRICS_END };
    }
  };
}

/** The text as it is. */
async function encodePlain(pieces: AsyncIterable<Piece>, memory: BodyMemory): Promise<Body> {
  const writer = memory.open();
  const encoded: { place: number; bytes: Uint8Array }[] = [];
  for await (const { place, text } of pieces) encoded.push({ place, bytes: writer.write(text()) });
  encoded.sort((left, right) => left.place - right.place);
  return { pieces: encoded.map(({ bytes }) => bytes), free: () => writer.free() };
}

/**
 * The format that an `Accept` header prefers; text where it leaves the choice to us.
 *
 *     application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5
 */
export function preferredFormat(accept: string): ExpositionFormat {
  let openmetrics = 0;
  let text = 0;
  for (const [type, quality] of rangesOf(accept)) {
    if (type === 'application/openmetrics-text') openmetrics = Math.max(openmetrics, quality);
    if (type === 'text/plain' || type === 'text/*') text = Math.max(text, quality);
  }
  return openmetrics > 0 && openmetrics >= text ? 'openmetrics' : 'text';
}

/** Whether an `Accept-Encoding` header takes gzip: `gzip, deflate;q=0.5`, `*`. */
export function takesGzip(acceptEncoding: string): boolean {
  const ranges = new Map(rangesOf(acceptEncoding));
  return (ranges.get('gzip') ?? ranges.get('*') ?? 0) > 0;
}

function rangesOf(header: string): [name: string, quality: number][] {
  return header.split(',').map((range) => {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return [name, qualityOf(parameters)];
  });
}

function qualityOf(parameters: readonly string[]): number {
  const quality = parameters.find((parameter) => parameter.startsWith('q='));
  const value = quality === undefined ? 1 : Number(quality.slice(2));
  return value >= 0 && value <= 1 ? value : 0;
}
