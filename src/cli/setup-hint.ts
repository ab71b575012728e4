import type { Logger } from 'pino';

/** How often it is said again that no coturn is there, in ms. */
const REPEAT_MS = 300_000;

/** What a hint needs to know. */
export interface SetupHint {
  readonly log: Pick<Logger, 'info'>;
  /** Lines of `turnserver.conf`, each of which connects a coturn; at least one. */
  readonly lines: readonly string[];
  /** Whether a coturn has connected. */
  readonly isConnected: () => boolean;
}

/**
 * Says what to put into `turnserver.conf`, now and every five minutes, until the first coturn has
 * connected: an exporter that nobody talks to looks like one that has nothing to do.
 *
 * @returns what ends it
 */
export function startSetupHint({ log, lines, isConnected }: SetupHint): () => void {
  const say = (): void => {
    if (isConnected()) return clearInterval(timer);
    // In the message and not as a field, where its quotes would be escaped: people copy it.
    log.info(`no coturn has connected yet; put into its turnserver.conf: ${lines.join(' or ')}`);
  };
  const timer = setInterval(say, REPEAT_MS);
  timer.unref();
  say();
  return () => clearInterval(timer);
}
