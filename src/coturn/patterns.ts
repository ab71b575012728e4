/** What the exporter subscribes to, as `RedisSource` does. */
export const PATTERNS: readonly string[] = ['turn/realm/*', 'turn/user/*'];

/** What coturn before 4.6.2 publishes every 5 s on each connection. */
export const KEEPALIVE_CHANNEL = '__XXX__';
export const KEEPALIVE_TEXT = '__YYY__';

/** The pattern of all status keys, byte for byte as a coturn that starts asks for it. */
export const STATUS_KEYS_PATTERN = 'turn/*/allocation/*/status';
