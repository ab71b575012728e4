/** What the exporter subscribes to, as `RedisSource` does. */
export const PATTERNS: readonly string[] = ['turn/realm/*', 'turn/user/*'];

/** What coturn before 4.6.2 publishes every 5 s on each connection. */
export const KEEPALIVE_CHANNEL = '__XXX__';
