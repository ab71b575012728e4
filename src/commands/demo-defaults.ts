import { createServer } from 'node:net';
import type { Config } from '../config/config.ts';
import { type Environment, variableOf } from '../config/environment.ts';
import { formatHostPort, type HostPort } from '../config/values.ts';

/**
 * Flags whose defaults a demo changes: seen from this machine only, records soon (no message comes
 * late on loopback), and no log but of trouble.
 */
const DEFAULTS = {
  'statsdb.listen-address': '127.0.0.1:6380',
  'web.listen-address': '127.0.0.1:10641',
  'session.linger': '1s',
  'log.level': 'warn',
  'log.format': 'pretty',
} as const;

/** A flag that says where to listen. */
export type AddressFlag = 'statsdb.listen-address' | 'web.listen-address';

/** A default address that could not be had. */
export interface TakenAddress {
  readonly flag: AddressFlag;
  /** What somebody else listens on. */
  readonly address: string;
}

/** `env` with the defaults of a demo, which flags and the variables of `env` beat. */
export function demoEnvironment(env: Environment): Environment {
  const defaults = Object.entries(DEFAULTS).map(([flag, text]) => [variableOf(flag), text]);
  return { ...Object.fromEntries(defaults), ...env };
}

/** The flags of a demo that nobody has set, so that their addresses may change. */
export function unsetAddresses(argv: readonly string[], env: Environment): AddressFlag[] {
  const flags: readonly AddressFlag[] = ['statsdb.listen-address', 'web.listen-address'];
  return flags.filter((flag) => {
    const isFlag = argv.some((text) => text === `--${flag}` || text.startsWith(`--${flag}=`));
    return !isFlag && env[variableOf(flag)] === undefined;
  });
}

/**
 * `config` with a free port for each of `flags` whose default is taken. Addresses that a person
 * has chosen are not among `flags`: where those are taken the start must fail.
 */
export async function avoidTakenPorts(
  config: Config,
  flags: readonly AddressFlag[],
): Promise<{ readonly config: Config; readonly taken: readonly TakenAddress[] }> {
  const taken: TakenAddress[] = [];
  const freeAddress = async (flag: AddressFlag, address: HostPort): Promise<HostPort> => {
    if (!flags.includes(flag) || (await isFree(address))) return address;
    taken.push({ flag, address: formatHostPort(address) });
    return { ...address, port: 0 };
  };
  const statsdb = config.statsdb.listen.map((address) =>
    freeAddress('statsdb.listen-address', address),
  );
  const web = freeAddress('web.listen-address', config.web.listen);
  return {
    config: {
      ...config,
      statsdb: { ...config.statsdb, listen: await Promise.all(statsdb) },
      web: { ...config.web, listen: await web },
    },
    taken,
  };
}

function isFree({ host, port }: HostPort): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port }, () => server.close(() => resolve(true)));
  });
}
