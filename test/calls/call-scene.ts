import type { Browser, Page } from 'playwright-core';
import { startChromium } from '../support/chromium.ts';
import type { Defer } from '../support/cleanup.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import type { Exposition } from '../support/exposition.ts';
import type { Tab } from '../support/firefox.ts';
import type { RecordLine } from '../support/json-lines.ts';
import { type PacketCapture, startPacketCapture } from '../support/packet-capture.ts';
import { servePages } from '../support/page-server.ts';
import { claimPorts } from '../support/port-block.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startStatsTee } from '../support/stats-tee.ts';
import { restCredentials } from '../support/turn-rest.ts';
import {
  startTurnServer,
  type TurnServer,
  type TurnServerOptions,
} from '../support/turn-server.ts';
import { until } from '../support/until.ts';
import { callPage, type EndOptions, type EndStats } from './call-page.ts';

export const REALM = 'example.org';
export const SECRET = 'north-west-passage';
/** With these Chromium calls itself over loopback, without a camera and without asking anybody. */
const WEBRTC_ARGS = [
  '--allow-loopback-in-peer-connection',
  '--ignore-certificate-errors',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
];

/** A way to the turnserver. */
export type Transport = 'udp' | 'tcp' | 'tls';

/** A coturn and two exporters that hear all of it, one beside a Redis and one as its statsdb. */
export interface HeardTurn {
  readonly turn: TurnServer;
  readonly exporters: ReadonlyMap<'redis' | 'statsdb', ExporterProcess>;
  /** Ends the exporter beside Redis by SIGTERM and starts another of the same configuration. */
  restartRedisExporter(): Promise<void>;
}

/** The same with a Chromium to call from. */
export interface CallScene extends HeardTurn {
  readonly browser: Browser;
  /** Where the page with {@link callPage} is. */
  readonly url: string;
}

/** Starts a coturn that listens for TLS, too, and its two exporters. */
export async function startHeardTurn(
  defer: Defer,
  options: Partial<TurnServerOptions> & { readonly redisArgs?: readonly string[] },
): Promise<HeardTurn> {
  const { redisArgs = [], ...turnOptions } = options;
  const redis = await startRedisServer(defer);
  const { first: statsdb } = await claimPorts(defer);
  const args = ['--redis.url', `redis://127.0.0.1:${redis.port}/0`, ...redisArgs];
  const [besideRedis, asStatsdb] = await Promise.all([
    startExporter(defer, { args }),
    startExporter(defer, { args: ['--statsdb.listen-address', `127.0.0.1:${statsdb}`] }),
  ]);
  const port = await startStatsTee(defer, { redis: redis.port, statsdb });
  const database = { port, database: 0 };
  const turn = await startTurnServer(defer, {
    realm: REALM,
    tls: true,
    ...(options.users === undefined ? { authSecret: SECRET } : {}),
    statsdb: database,
    ...turnOptions,
  });
  const exporters = new Map([
    ['redis', besideRedis],
    ['statsdb', asStatsdb],
  ] as const);
  const restartRedisExporter = async () => {
    await exporters.get('redis')?.stop();
    exporters.set('redis', await startExporter(defer, { args }));
  };
  return { turn, exporters, restartRedisExporter };
}

/** Starts the programs that calls of a browser need. */
export async function startCallScene(
  defer: Defer,
  options: Partial<TurnServerOptions> & { readonly redisArgs?: readonly string[] } = {},
): Promise<CallScene> {
  const [heard, browser, url] = await Promise.all([
    startHeardTurn(defer, options),
    startChromium(defer, WEBRTC_ARGS),
    servePage(defer),
  ]);
  return { ...heard, browser, url };
}

/** Writes down what the relay of this scene sends to peers and gets from them. */
export function captureRelay(defer: Defer, { turn }: HeardTurn): Promise<PacketCapture> {
  return startPacketCapture(defer, turn.relayPorts);
}

/** A new tab of a new profile, with the page of calls in it. */
export async function openTab(
  defer: Defer,
  { browser, url }: Pick<CallScene, 'browser' | 'url'>,
): Promise<Page> {
  const context = await browser.newContext();
  defer(() => context.close());
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** The page of calls in a Chromium of its own. */
export async function openCallTab(defer: Defer): Promise<Page> {
  const [browser, url] = await Promise.all([startChromium(defer, WEBRTC_ARGS), servePage(defer)]);
  return await openTab(defer, { browser, url });
}

/** The address of a turnserver as a browser takes it. */
export function turnUrl({ turn }: HeardTurn, transport: Transport): string {
  // By name: Firefox does not even try TLS to an address.
  if (transport === 'tls') return `turns:localhost:${turn.tlsPort}?transport=tcp`;
  return `turn:127.0.0.1:${turn.port}?transport=${transport}`;
}

/** One end of a call: a user in a tab. */
export interface Caller {
  readonly page: Tab;
  readonly user: string;
}

/** How a call is made. */
export interface CallOptions {
  readonly transport: Transport;
  readonly media: EndOptions['media'];
  readonly policy?: EndOptions['policy'];
  /** How long the credentials hold, in seconds; negative: they did. */
  readonly credentialSeconds?: number;
  /** What passwords are made with; that of the server when left out. */
  readonly secret?: string;
}

/** Two ends that were introduced to each other. */
export class Call {
  readonly ends: readonly [Caller, Caller];

  constructor(ends: readonly [Caller, Caller]) {
    this.ends = ends;
  }

  /** Makes both ends and introduces them to each other; waits for no connection. */
  async begin(scene: HeardTurn, options: CallOptions): Promise<void> {
    const { transport, media, policy = 'relay', credentialSeconds: seconds } = options;
    for (const { page, user } of this.ends) {
      const given = restCredentials(user, {
        secret: options.secret ?? SECRET,
        ...(seconds === undefined ? {} : { seconds }),
      });
      const end = { urls: turnUrl(scene, transport), ...given, policy, media };
      await page.evaluate(([name, of]) => calls.open(name, of), [user, end] as const);
    }
    await this.introduce();
  }

  /** Offer and answer; again after `restartIce`. */
  async introduce(): Promise<void> {
    const [caller, callee] = this.ends;
    const offer = await caller.page.evaluate((name) => calls.describe(name), caller.user);
    const answer = await callee.page.evaluate(([name, sdp]) => calls.describe(name, sdp), [
      callee.user,
      offer,
    ] as const);
    await caller.page.evaluate(([name, sdp]) => calls.accept(name, sdp), [
      caller.user,
      answer,
    ] as const);
  }

  async connected(): Promise<void> {
    for (const { page, user } of this.ends) {
      await until(() => page.evaluate((name) => calls.state(name), user), {
        what: `${user} to be connected`,
        isDone: (state) => state === 'connected',
      });
    }
  }

  stats(): Promise<EndStats[]> {
    return Promise.all(
      this.ends.map(({ page, user }) => page.evaluate((name) => calls.stats(name), user)),
    );
  }

  /** Waits until each end has received so many bytes. */
  received(bytes: number): Promise<EndStats[]> {
    return until(() => this.stats(), {
      what: `both ends of ${this.ends[0].user}'s call to receive ${bytes} bytes`,
      timeoutMs: 60_000,
      isDone: (stats) => stats.every(({ receivedBytes }) => receivedBytes >= bytes),
    });
  }

  async hangUp(): Promise<void> {
    for (const { page, user } of this.ends) {
      await page.evaluate((name) => calls.close(name), user);
    }
  }
}

/** Waits until nothing lives on either exporter; gives both scrapes. */
export async function untilOver(
  { exporters }: HeardTurn,
  timeoutMs = 60_000,
): Promise<Exposition[]> {
  return Promise.all(
    [...exporters.values()].map((exporter) =>
      exporter.untilMetrics(
        (metrics) =>
          metrics.sum('coturn_allocations_created_total') > 0 &&
          metrics.sum('coturn_allocations') === 0 &&
          metrics.sum('coturn_sessions') === 0 &&
          metrics.value('coturn_exporter_users') === 0,
        { what: 'all calls to be over', timeoutMs },
      ),
    ),
  );
}

/** The records of a user on both exporters, once nothing of this user lives on either. */
export function untilUserIsGone(
  { exporters }: HeardTurn,
  user: string,
): Promise<readonly RecordLine[][]> {
  return Promise.all(
    [...exporters.values()].map(async (exporter) => {
      await exporter.untilMetrics(
        (metrics) =>
          metrics.sum('coturn_user_sessions', { user }) === 0 &&
          recordsOf(exporter, user).length > 0,
        { what: `${user} to be gone`, timeoutMs: 60_000 },
      );
      return recordsOf(exporter, user);
    }),
  );
}

/** The records of a user. */
export function recordsOf(exporter: ExporterProcess, user: string): RecordLine[] {
  return exporter.records.filter((record) => record['user'] === user);
}

function servePage(defer: Defer): Promise<string> {
  return servePages(defer, (_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<!doctype html><title>Calls</title><script>(${callPage})();</script>`);
  });
}
