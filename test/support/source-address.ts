import { connect, createServer, type Socket } from 'node:net';
import type { Defer } from './cleanup.ts';

/** A port of 127.0.0.1; what connects there comes out from another address. */
export interface SourceAddress {
  readonly port: number;
}

/**
 * Passes TCP connections on to a port of 127.0.0.1, from another address of the loopback interface,
 * as if their program ran on another machine. Needed since Linux connects to all of 127.0.0.0/8
 * from 127.0.0.1, and coturn does not let one choose from where it connects to its statsdb.
 */
export async function connectFrom(
  defer: Defer,
  options: { readonly address: string; readonly port: number },
): Promise<SourceAddress> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (inner) => {
    const outer = connect({
      host: '127.0.0.1',
      port: options.port,
      localAddress: options.address,
      allowHalfOpen: true,
    });
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(socket);
      socket.pipe(other);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address();
      if (bound === null || typeof bound === 'string') reject(new Error('No port'));
      else resolve(bound.port);
    });
  });
  return { port };
}
