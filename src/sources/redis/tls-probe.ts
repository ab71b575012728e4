import { type ConnectionOptions, connect } from 'node:tls';
import type { HostPort } from '../../config/values.ts';

/** How long a server has to refuse what it does not like, in ms. */
const PROBE_MS = 5_000;

/** How often it is asked until it tells more than that it hangs up. */
const MAX_PROBES = 5;

/**
 * What a server says to a greeting of TLS and nothing more: in TLS 1.3 it looks at our certificate
 * only after we take the connection for open, and what we write by then makes the system throw its
 * alert away.
 *
 * @param tls of the connection that failed; undefined when it had none
 * @returns the error; `plain to TLS` when TLS works and was not asked for; undefined when nothing
 * speaks against TLS, or nothing for it
 */
export async function probeTls(
  address: HostPort,
  tls: ConnectionOptions | undefined,
): Promise<string | undefined> {
  // Even so a reset may overtake the alert; seldom many times in a row.
  for (let attempt = 1; attempt < MAX_PROBES; attempt += 1) {
    const told = await probeOnce(address, tls);
    if (told === undefined || !/ECONNRESET|EPIPE|closed/.test(told)) return told;
  }
  return await probeOnce(address, tls);
}

function probeOnce(
  { host, port }: HostPort,
  tls: ConnectionOptions | undefined,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let isOpen = false;
    const socket = connect({ ...(tls ?? { rejectUnauthorized: false }), host, port });
    const timer = setTimeout(() => done(undefined), PROBE_MS);
    const done = (error: (Error & { code?: string }) | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      const told = error === undefined ? undefined : `${error.code ?? ''} ${error.message}`.trim();
      if (tls !== undefined) resolve(told);
      // An alert is TLS as well.
      else resolve(isOpen || /alert/i.test(told ?? '') ? 'plain to TLS' : undefined);
    };
    socket.once('secureConnect', () => {
      isOpen = true;
      if (tls === undefined) done(undefined);
    });
    socket.on('error', done);
    socket.once('close', () => done(new Error('closed')));
  });
}
