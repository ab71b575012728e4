import { connect, createServer, type Socket } from 'node:net';
import type { Defer } from './cleanup.ts';

/**
 * A statsdb for one coturn that two exporters hear alike: what coturn says goes to a Redis, whose
 * answers it gets, and in a copy to an exporter's own statsdb, whose answers nobody reads.
 *
 * @returns the port to connect to, on 127.0.0.1
 */
export async function startStatsTee(
  defer: Defer,
  ports: { readonly redis: number; readonly statsdb: number },
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((coturn) => {
    const redis = connect(ports.redis, '127.0.0.1');
    const statsdb = connect(ports.statsdb, '127.0.0.1');
    const all = [coturn, redis, statsdb];
    coturn.on('data', (bytes) => {
      redis.write(bytes);
      statsdb.write(bytes);
    });
    redis.on('data', (bytes) => coturn.write(bytes));
    statsdb.resume();
    for (const socket of all) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        for (const other of all) other.end();
      });
    }
  });
  defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address();
      if (bound === null || typeof bound === 'string') reject(new Error('No port'));
      else resolve(bound.port);
    });
  });
}
