import { ConfigError, nearestName } from './config-error.ts';

/** Environment variables by name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'COTURN_EXPORTER_';

/**
 * What Kubernetes sets in every pod of a namespace with a Service `coturn-exporter` (or
 * `coturn-exporter-…`), as in kubernetes.io/docs/concepts/services-networking/service:
 * `…_SERVICE_HOST`, `…_SERVICE_PORT_HTTP`, `…_PORT_10641_TCP_ADDR`. `…_PORT` is known by its value.
 */
const SERVICE_LINK =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;
const SERVICE_PORT_VALUE = /^(?:tcp|udp|sctp):\/\//;

/** The environment variable of a flag: `redis.tls-ca-file` → `COTURN_EXPORTER_REDIS_TLS_CA_FILE`. */
export function variableOf(flag: string): string {
  return PREFIX + flag.toUpperCase().replaceAll(/[.-]/g, '_');
}

/**
 * Refuses every `COTURN_EXPORTER_…` variable that belongs to none of `flags` (names without
 * dashes), since a mistyped one would silently leave a default in force. Values are not shown.
 * Kubernetes' service links are let pass.
 *
 * @throws {ConfigError} naming the first unknown variable and the one probably meant
 */
export function rejectUnknownVariables(env: Environment, flags: Iterable<string>): void {
  const known = new Set([...flags].map(variableOf));
  for (const [name, value] of Object.entries(env)) {
    const isOurs = name.startsWith(PREFIX) && value !== undefined;
    if (isOurs && !known.has(name) && !isServiceLink(name, value)) {
      const names = [...known].map((each) => each.slice(PREFIX.length));
      const nearest = nearestName(name.slice(PREFIX.length).toUpperCase(), names);
      const advice = nearest === undefined ? 'see --help' : `did you mean ${PREFIX}${nearest}?`;
      throw new ConfigError(`Unknown environment variable ${printable(name)}: ${advice}`);
    }
  }
}

function isServiceLink(name: string, value: string): boolean {
  return SERVICE_LINK.test(name) || (name.endsWith('_PORT') && SERVICE_PORT_VALUE.test(value));
}

function printable(name: string): string {
  return name.slice(0, 120).replaceAll(/[^\w.-]/g, '?');
}
