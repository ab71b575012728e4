import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Defer } from './cleanup.ts';
import { coturnProgram } from './coturn-programs.ts';
import { claimPorts } from './port-block.ts';
import { bindOverTcp } from './stun-over-tcp.ts';
import { createTempFolder } from './temp-folder.ts';
import { TestProcess } from './test-process.ts';
import { until } from './until.ts';

export interface TurnServer {
  readonly address: string;
  readonly port: number;
  readonly realm: string;
  /** What it wrote to its log file so far. */
  log(): string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface TurnServerOptions {
  readonly realm: string;
  /** Where it listens; 127.0.0.1 when left out. Others of 127.0.0.0/8 tell servers apart. */
  readonly address?: string;
  /** Name to password. Names with `%` kill coturn up to 4.12. */
  readonly users: Readonly<Record<string, string>>;
  /** Where it publishes: port and database number of a Redis, or of what stands in for one. */
  readonly statsdb: {
    /** 127.0.0.1 when left out. */
    readonly address?: string;
    readonly port: number;
    readonly database: number;
    readonly password?: string;
  };
  /**
   * Seconds after which an allocation ends unless refreshed. uclient refreshes every 30 s only, so
   * this must be above the length of its run.
   */
  readonly maxAllocateLifetime?: number;
  readonly extraLines?: readonly string[];
}

// Ports of the block before this offset: the listener and its neighbour, never relays.
const FIRST_RELAY_OFFSET = 4;

/** A running `turnserver` on a free port of the loopback interface that answers STUN requests. */
export async function startTurnServer(
  defer: Defer,
  options: TurnServerOptions,
): Promise<TurnServer> {
  const block = await claimPorts(defer);
  const folder = createTempFolder(defer);
  const logFile = join(folder, 'turnserver.log');
  const configFile = join(folder, 'turnserver.conf');
  const { address = '127.0.0.1' } = options;
  const places = {
    address,
    listeningPort: block.first,
    minPort: block.first + FIRST_RELAY_OFFSET,
    maxPort: block.first + block.size - 1,
    folder,
    logFile,
  };
  writeFileSync(configFile, configLines({ ...places, options }).join('\n'));
  const log = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  const server = new TestProcess(defer, {
    command: coturnProgram('turnserver'),
    args: ['-c', configFile],
    cwd: folder,
  });
  // Over TCP: coturn up to 4.6.1 publishes a UDP binding only 60 s later, into somebody's test.
  await until(() => bindOverTcp({ address, port: block.first }), {
    what: 'turnserver to answer',
    isDone: () => true,
  }).catch((failure: unknown) => {
    throw new Error(`Cannot start turnserver:\n${server.describe()}\n${log()}`, { cause: failure });
  });
  return {
    address,
    port: block.first,
    realm: options.realm,
    log,
    async stop(signal = 'SIGTERM') {
      server.kill(signal);
      await server.stop();
    },
  };
}

function configLines(given: {
  address: string;
  listeningPort: number;
  minPort: number;
  maxPort: number;
  folder: string;
  logFile: string;
  options: TurnServerOptions;
}): string[] {
  const { statsdb, realm, users, maxAllocateLifetime, extraLines = [] } = given.options;
  const password = statsdb.password === undefined ? '' : ` password=${statsdb.password}`;
  const lifetime =
    maxAllocateLifetime === undefined ? [] : [`max-allocate-lifetime=${maxAllocateLifetime}`];
  return [
    `listening-ip=${given.address}`,
    'relay-ip=127.0.0.1',
    `listening-port=${given.listeningPort}`,
    `min-port=${given.minPort}`,
    `max-port=${given.maxPort}`,
    `realm=${realm}`,
    'lt-cred-mech',
    ...Object.entries(users).map(([name, secret]) => `user=${name}:${secret}`),
    'allow-loopback-peers',
    'no-cli',
    'no-tls',
    'no-dtls',
    `userdb=${join(given.folder, 'turndb')}`,
    `pidfile=${join(given.folder, 'turnserver.pid')}`,
    `log-file=${given.logFile}`,
    'simple-log',
    'verbose',
    `redis-statsdb="ip=${statsdb.address ?? '127.0.0.1'} dbname=${statsdb.database}${password} port=${statsdb.port}"`,
    ...lifetime,
    ...extraLines,
    '',
  ];
}
