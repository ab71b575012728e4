import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Logger } from 'pino';
import { nextTurn } from '../metrics/exposition.ts';
import type { RefusalReason, WebStats } from '../metrics/web-metrics.ts';
import { type Answer, plain, type Routes } from './route.ts';
import type { WebLock } from './web-lock.ts';

/** A request and its response, of HTTP/1.1 or HTTP/2. */
export type Request = IncomingMessage | Http2ServerRequest;
export type Response = ServerResponse | Http2ServerResponse;

/** What {@link createHandler} works with. */
export interface HandlerOptions {
  readonly routes: Routes;
  /** The most requests for pages at a time; further ones are told to come back. */
  readonly maxRequests: number;
  /** `/livez`, `/healthz` and `/readyz` need no login. */
  readonly probesUnauthenticated: boolean;
  /** Absent: everybody may ask. */
  readonly lock?: WebLock | undefined;
  readonly stats: WebStats;
  readonly log: Logger;
  /** Hears that an answer of so many bytes is about to be written. */
  readonly onAnswer?: (request: Request, bytes: number) => void;
}

/** Answers one request; never rejects. */
export type Handler = (request: Request, response: Response) => Promise<void>;

/** How much is written before others get their turn. */
const TURN_BYTES = 128 * 1024;

const BUSY = plain(503, 'busy', { 'retry-after': '1' });
const TOO_MANY = plain(429, 'too many requests');
const UNAUTHORIZED = plain(401, 'unauthorized', {
  'www-authenticate': 'Basic realm="coturn-exporter"',
});

/** Makes what answers requests: who may ask, for what, and how many at a time. */
export function createHandler(options: HandlerOptions): Handler {
  const { lock, log, onAnswer } = options;
  const desk = new Desk(options);
  return async (request, response) => {
    let answer: Answer;
    try {
      answer = await desk.answer(request, response);
    } catch (error) {
      log.error({ err: error, path: request.url }, 'a request failed');
      answer = plain(500, 'internal error');
    }
    const bytes = answer.body.reduce((sum, piece) => sum + piece.length, 0);
    onAnswer?.(request, bytes);
    const isHead = request.method === 'HEAD';
    const headers = {
      ...answer.headers,
      ...lock?.headers,
      ...(isHead ? {} : { 'content-length': String(bytes) }),
    };
    // A body is not read, so that nobody can send one without end: its connection is of no more use.
    const isLast = hasBody(request) || answer.status === 503;
    if (isLast && request.httpVersionMajor === 1) Object.assign(headers, { connection: 'close' });
    await write(response, { ...answer, headers, body: isHead ? [] : answer.body });
  };
}

/** Decides what a request is answered. */
class Desk {
  readonly #options: HandlerOptions;
  #inFlight = 0;

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  async answer(request: Request, response: Response): Promise<Answer> {
    const [path = '', query = ''] = (request.url ?? '').split(/\?(.*)/s);
    const route = this.#options.routes.get(path);
    const isProbe = route?.kind === 'probe';
    const refusal = await this.#keepOut(request, isProbe);
    if (refusal !== undefined) return refusal;
    const isHead = request.method === 'HEAD';
    if (!isHead && request.method !== 'GET') {
      return plain(405, 'method not allowed', { allow: 'GET, HEAD' });
    }
    if (hasBody(request)) return plain(400, 'bad request');
    if (route === undefined) return plain(404, 'not found');
    if (!isProbe && !this.#takePlace(response)) return this.#refuse('busy', BUSY);
    const { accept = '', 'accept-encoding': acceptEncoding = '' } = request.headers;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    return await route.answer({
      query,
      accept,
      acceptEncoding: String(acceptEncoding),
      isHead,
      gone: gone.signal,
    });
  }

  /** What keeps a stranger out; undefined for who may come in. */
  async #keepOut(request: Request, isProbe: boolean): Promise<Answer | undefined> {
    const { lock, probesUnauthenticated } = this.#options;
    if (lock === undefined) return undefined;
    if (lock.isAboveRate()) return this.#refuse('rate_limit', TOO_MANY);
    if (isProbe && probesUnauthenticated) return undefined;
    const verdict = await lock.verdict(request.headers.authorization);
    if (verdict === 'busy') return this.#refuse('busy', BUSY);
    return verdict === 'no' ? this.#refuse('unauthorized', UNAUTHORIZED) : undefined;
  }

  #refuse(reason: RefusalReason, answer: Answer): Answer {
    this.#options.stats.refused[reason] += 1;
    return answer;
  }

  /** Takes a place among the requests at work until the response is done with; false: none is left. */
  #takePlace(response: Response): boolean {
    if (this.#inFlight >= this.#options.maxRequests) return false;
    let isTaken = true;
    this.#inFlight += 1;
    const leave = (): void => {
      if (isTaken) this.#inFlight -= 1;
      isTaken = false;
    };
    response.once('close', leave);
    response.once('finish', leave);
    return true;
  }
}

/** Whether a request says that more than its headers comes. */
function hasBody({ headers }: Request): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** Writes no faster than it is read. Resolves also when the other side has gone away. */
async function write(response: Response, { status, headers, body }: Answer): Promise<void> {
  if (response.destroyed) return;
  response.writeHead(status, headers);
  // The signatures of HTTP/1.1 and HTTP/2 do not unite, though both take bytes.
  const send = response.write.bind(response) as (piece: Uint8Array) => boolean;
  let written = 0;
  for (const piece of body) {
    if (response.destroyed) return;
    if (!send(piece)) await untilReadOn(response);
    // A reader on the same machine takes all there is at once, and others wait.
    written += piece.length;
    if (written < TURN_BYTES) continue;
    written = 0;
    await nextTurn();
  }
  response.end();
}

/** Resolves when there is room for more, or nobody is there any more. */
function untilReadOn(response: Response): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
