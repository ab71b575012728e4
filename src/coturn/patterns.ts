/** What the exporter subscribes to: keys with and without a realm, and no keepalives. */
export const PATTERNS: readonly string[] = ['turn/realm/*', 'turn/user/*'];

/** What coturn before 4.6.2 publishes every 5 s on each connection. */
export const KEEPALIVE_CHANNEL = '__XXX__';
export const KEEPALIVE_TEXT = '__YYY__';

/**
 * The pattern of all status keys, byte for byte as a coturn that starts asks for it (4.5.0.8 to
 * 4.17.1), to delete what its predecessor left. `*` of Redis matches `/` too.
 */
export const STATUS_KEYS_PATTERN = 'turn/*/allocation/*/status';
