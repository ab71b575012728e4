import { duration, formatDuration } from '../config/values.ts';
import type { Ledger } from '../domain/ledger.ts';
import type { Servers } from '../domain/servers.ts';
import { plain, type Route } from './route.ts';

/** What {@link createDrainRoute} answers from. */
export interface DrainRouteOptions {
  readonly ledger: Ledger;
  readonly servers: Servers;
  readonly nowMs: () => number;
  /** The most requests that may be at work; half of them may wait, {@link MAX_WAITING} at most. */
  readonly maxRequests: number;
}

/** The most that may wait at a time: nobody drains more coturn servers at once. */
export const MAX_WAITING = 12;

/** How often a number is looked at that somebody waits for, in ms. */
export const LOOK_MS = 500;

/** The longest that anybody can wait, in ms. */
const MAX_WAIT_MS = 3_600_000;

const WAIT = duration({ min: 0, max: MAX_WAIT_MS });

const NO_SERVER = plain(404, 'no such server');
const NO_PLACE = plain(503, 'too many wait already', { 'retry-after': '5' });
const BAD_WAIT = plain(400, `wait is a time such as 300s, up to ${formatDuration(MAX_WAIT_MS)}`);

/**
 * `/drain`: the number of live allocations, of one coturn with `?server=NAME`. With `wait=300s` it is
 * told when it is 0, or when the time is over: what stops a coturn can wait for it.
 */
export function createDrainRoute(options: DrainRouteOptions): Route {
  const { ledger, servers, nowMs, maxRequests } = options;
  const most = Math.min(MAX_WAITING, Math.floor(maxRequests / 2));
  let waiting = 0;
  const count = (server: string | null): number | undefined =>
    server === null
      ? ledger.countLive()
      : servers.list(nowMs()).find((one) => one.server === server)?.allocations;
  return {
    kind: 'page',
    async answer({ query, gone }) {
      const asked = new URLSearchParams(query);
      const server = asked.get('server');
      const wait = WAIT.parse(asked.get('wait') ?? '0s');
      if (!wait.ok) return BAD_WAIT;
      const live = count(server);
      if (live === undefined) return NO_SERVER;
      const untilMs = nowMs() + wait.value;
      // One that is forgotten meanwhile holds nothing.
      const isOver = (): boolean => (count(server) ?? 0) === 0 || nowMs() >= untilMs;
      if (!isOver()) {
        if (waiting >= most) return NO_PLACE;
        waiting += 1;
        await until(isOver, gone);
        waiting -= 1;
      }
      return plain(200, String(count(server) ?? 0));
    },
  };
}

/** Resolves when it is so, or when nobody waits for it any more. */
function until(isSo: () => boolean, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (isSo()) end();
    }, LOOK_MS);
    const end = (): void => {
      clearInterval(timer);
      resolve();
    };
    gone.addEventListener('abort', end, { once: true });
    if (gone.aborted) end();
  });
}
