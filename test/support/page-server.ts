import { createServer, type RequestListener } from 'node:http';
import type { Defer } from './cleanup.ts';

/** Serves pages for a browser on loopback until the cleanup; gives where. */
export async function servePages(defer: Defer, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port');
  return `http://127.0.0.1:${address.port}/`;
}
