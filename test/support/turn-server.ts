import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CertificateFiles, makeCertificate } from './certificates.ts';
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
  /** For TLS and DTLS; nobody listens there unless asked to. */
  readonly tlsPort: number;
  /** Where relayed transport addresses are. */
  readonly relayPorts: { readonly first: number; readonly last: number };
  readonly realm: string;
  /** What it wrote to its log file so far. */
  log(): string;
  /** Again, after a stop, with the same configuration. */
  start(): Promise<void>;
  readonly pid: number;
  /** Resolves when it has ended, by itself or not. */
  readonly exited: Promise<unknown>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface TurnServerOptions {
  readonly realm: string;
  /** Where it listens; 127.0.0.1 when left out. Others of 127.0.0.0/8 tell servers apart. */
  readonly address?: string;
  /** Name to password. Names with `%` kill coturn up to 4.12. */
  readonly users?: Readonly<Record<string, string>>;
  /** Takes names and passwords of the TURN REST API made with this secret, instead of `users`. */
  readonly authSecret?: string;
  /** Listens for TLS and DTLS as well, with this certificate; true: with one that nobody signed. */
  readonly tls?: boolean | CertificateFiles;
  /** Instead of five dozen: coturn's own range, for many clients. */
  readonly manyRelayPorts?: boolean;
  /** Where it publishes: port and database number of a Redis, or of what stands in for one. */
  readonly statsdb: {
    /** 127.0.0.1 when left out. */
    readonly address?: string;
    readonly port: number;
    readonly database: number;
    readonly password?: string;
    /** More of the connection string: `tls=true ca=…`. */
    readonly more?: string;
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
const TLS_OFFSET = 2;

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
    minPort: options.manyRelayPorts === true ? 49_152 : block.first + FIRST_RELAY_OFFSET,
    maxPort: options.manyRelayPorts === true ? 65_535 : block.first + block.size - 1,
    tlsPort: block.first + TLS_OFFSET,
    folder,
    logFile,
  };
  writeFileSync(configFile, configLines({ ...places, options }).join('\n'));
  const log = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  let server: TestProcess;
  const start = async () => {
    const process = new TestProcess(defer, {
      command: coturnProgram('turnserver'),
      args: ['-c', configFile],
      cwd: folder,
      isUrgent: true,
    });
    server = process;
    // Over TCP: coturn up to 4.6.1 publishes a UDP binding only 60 s later, into somebody's test.
    await until(() => bindOverTcp({ address, port: block.first }), {
      what: 'turnserver to answer',
      isDone: () => true,
    }).catch((cause: unknown) => {
      throw new Error(`Cannot start turnserver:\n${process.describe()}\n${log()}`, { cause });
    });
  };
  await start();
  return {
    address,
    port: block.first,
    tlsPort: places.tlsPort,
    relayPorts: { first: places.minPort, last: places.maxPort },
    realm: options.realm,
    log,
    start,
    get pid() {
      return server.pid;
    },
    get exited() {
      return server.exited;
    },
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
  tlsPort: number;
  folder: string;
  logFile: string;
  options: TurnServerOptions;
}): string[] {
  const { statsdb, realm, maxAllocateLifetime, extraLines = [] } = given.options;
  const password = statsdb.password === undefined ? '' : ` password=${statsdb.password}`;
  const more = statsdb.more === undefined ? '' : ` ${statsdb.more}`;
  const lifetime =
    maxAllocateLifetime === undefined ? [] : [`max-allocate-lifetime=${maxAllocateLifetime}`];
  return [
    `listening-ip=${given.address}`,
    'relay-ip=127.0.0.1',
    `listening-port=${given.listeningPort}`,
    `min-port=${given.minPort}`,
    `max-port=${given.maxPort}`,
    `realm=${realm}`,
    ...accountLines(given.options),
    'allow-loopback-peers',
    // Later ones deny the machine of their statsdb as a peer, which here is that of all peers.
    ...['127.0.0.1', '::1'].map((peer) => `allowed-peer-ip=${peer}`),
    'no-cli',
    ...tlsLines(given),
    `userdb=${join(given.folder, 'turndb')}`,
    `pidfile=${join(given.folder, 'turnserver.pid')}`,
    `log-file=${given.logFile}`,
    'simple-log',
    'verbose',
    `redis-statsdb="ip=${statsdb.address ?? '127.0.0.1'} dbname=${statsdb.database}${password} port=${statsdb.port}${more}"`,
    ...lifetime,
    ...extraLines,
    '',
  ];
}

function accountLines({ users = {}, authSecret }: TurnServerOptions): string[] {
  if (authSecret !== undefined) return ['use-auth-secret', `static-auth-secret=${authSecret}`];
  return ['lt-cred-mech', ...Object.entries(users).map(([name, key]) => `user=${name}:${key}`)];
}

function tlsLines(given: {
  folder: string;
  tlsPort: number;
  options: TurnServerOptions;
}): string[] {
  const { tls = false } = given.options;
  if (tls === false) return ['no-tls', 'no-dtls'];
  const { cert, key } =
    tls === true ? makeCertificate(given.folder, 'cert', { names: 'IP:127.0.0.1' }) : tls;
  // `dtls` is needed from 4.17 on; those before complain of it, no more.
  return ['dtls', `tls-listening-port=${given.tlsPort}`, `cert=${cert}`, `pkey=${key}`];
}
