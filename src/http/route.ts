/** What a route gets of a request: all else is none of its business. */
export interface Asked {
  /** After the `?`, without it; empty when there is none. */
  readonly query: string;
  /** `Accept` and `Accept-Encoding`; absent headers are empty. */
  readonly accept: string;
  readonly acceptEncoding: string;
  /** A HEAD: the body is not sent, so it may be left out. */
  readonly isHead: boolean;
  /** Aborted when nobody waits for the answer any more, nor reads it: it was sent, or broke off. */
  readonly gone: AbortSignal;
}

/** What a route answers. */
export interface Answer {
  readonly status: number;
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** In pieces that may be shared with other answers, and that are valid until `gone`; none for a HEAD whose body nobody made. */
  readonly body: readonly Uint8Array[];
}

/** One path of the server. */
export interface Route {
  /**
   * `probe`: a word about the process, which must come through whatever else goes on: no cap on
   * requests, and no login with `--web.probes-unauthenticated`. `page`: all else.
   */
  readonly kind: 'probe' | 'page';
  answer(asked: Asked): Answer | Promise<Answer>;
}

/** Every path that is served. */
export type Routes = ReadonlyMap<string, Route>;

/** A line of plain text as an answer. */
export function plain(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const body = [Buffer.from(`${text}\n`)];
  return { status, headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' }, body };
}
