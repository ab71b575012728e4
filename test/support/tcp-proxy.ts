import { connect, createServer, type Socket } from 'node:net';
import type { Defer } from './cleanup.ts';

/** A TCP path between two programs that a test can cut and stall. */
export interface TcpProxy {
  readonly port: number;
  /** How many connections were taken so far. */
  readonly taken: number;
  /** Breaks every connection; what is on its way is lost. New ones are taken as before. */
  cut(): void;
  /**
   * Forwards nothing and closes nothing, in either direction: a network that swallows packets. For
   * connections there are, and for the next `connections` that are made.
   */
  hold(options?: { readonly connections?: number }): void;
  /** As `hold`, for connections made from now on only. */
  holdNext(connections: number): void;
  /** Reads no more from the target: its output piles up there. The other direction goes on. */
  stopReading(): void;
  /** Undoes all three; what was held is forwarded. */
  release(): void;
}

interface Pair {
  readonly inner: Socket;
  readonly outer: Socket;
}

/** A proxy on a free port of 127.0.0.1 to `port`. Ended by `defer`. */
export async function startTcpProxy(
  defer: Defer,
  { port }: { readonly port: number },
): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let taken = 0;
  let held = 0;
  const server = createServer((inner) => {
    taken += 1;
    const outer = connect({ host: '127.0.0.1', port });
    const pair = { inner, outer };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      inner.destroy();
      outer.destroy();
    };
    for (const socket of [inner, outer]) socket.on('error', end).on('close', end);
    forward(inner, outer);
    forward(outer, inner);
    if (held > 0) {
      held -= 1;
      pause(pair);
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const cut = () => {
    for (const { inner, outer } of pairs) {
      inner.destroy();
      outer.destroy();
    }
  };
  defer(() => {
    cut();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port');
  return {
    port: address.port,
    get taken() {
      return taken;
    },
    cut,
    hold({ connections = 0 } = {}) {
      held = connections;
      for (const pair of pairs) pause(pair);
    },
    holdNext(connections) {
      held = connections;
    },
    stopReading() {
      for (const { outer } of pairs) outer.pause();
    },
    release() {
      held = 0;
      for (const { inner, outer } of pairs) {
        inner.resume();
        outer.resume();
      }
    },
  };
}

/** Without `pipe`, which would resume what a test has paused. */
function forward(from: Socket, to: Socket): void {
  from.on('data', (bytes) => to.write(bytes));
  from.on('end', () => to.end());
}

function pause({ inner, outer }: Pair): void {
  inner.pause();
  outer.pause();
}
