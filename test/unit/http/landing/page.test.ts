import { createHash } from 'node:crypto';
import { Script } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Ledger } from '../../../../src/domain/ledger.ts';
import { Servers } from '../../../../src/domain/servers.ts';
import { SourceStats } from '../../../../src/domain/source-stats.ts';
import { addTrafficAt, CLIENT, NOTHING, PEER } from '../../../../src/domain/traffic.ts';
import {
  createLandingPage,
  type LandingPage,
  type LandingPageOptions,
} from '../../../../src/http/landing/page.ts';
import { SCRIPT } from '../../../../src/http/landing/refresh.ts';
import { LandingSampler } from '../../../../src/http/landing/sampler.ts';
import { type PublishTarget, setupLine } from '../../../../src/http/landing/setup.ts';
import {
  createLandingView,
  type LandingView,
  MAX_SHOWN_SERVERS,
} from '../../../../src/http/landing/view.ts';
import type { Answer } from '../../../../src/http/route.ts';
import type { Source, SourceStatus } from '../../../../src/sources/source.ts';
import { countLooks, mostInOneTurn } from '../../turns.ts';

const STATSDB: SourceStatus = { kind: 'statsdb', up: false, ready: true, detail: '0 connections' };
const TARGET: PublishTarget = { host: '127.0.0.1', port: 6380, hasPassword: false };
const HOSTILE = `"><script>alert('1')</script>&`;

interface Scene {
  readonly page: LandingPage;
  headers(): Promise<Readonly<Record<string, string>>>;
  readonly ledger: Ledger;
  readonly servers: Servers;
  readonly stats: SourceStats;
  view(): Promise<LandingView>;
  html(): Promise<string>;
}

interface SceneOptions {
  readonly status?: Partial<SourceStatus>;
  readonly targets?: readonly PublishTarget[];
  readonly metricsPath?: string;
}

function createScene(options: SceneOptions = {}): Scene {
  const ledger = new Ledger(2000);
  const servers = new Servers({ ledger, forgetAfterMs: 60_000 });
  const stats = new SourceStats('statsdb', 'connection');
  const source: Source = {
    stats,
    status: () => ({ ...STATSDB, ...options.status }),
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
  const shown: LandingPageOptions = {
    build: { version: '1.2.3', revision: '0123456789abcdef', nodeVersion: 'v20' },
    metricsPath: options.metricsPath ?? '/metrics',
    targets: () => options.targets ?? [TARGET],
    sources: [source],
    ledger,
    servers,
    nowMs: () => Date.now(),
  };
  const page = createLandingPage(shown);
  onTestFinished(() => page.stop());
  const ask = async (): Promise<Answer> =>
    await page.answer({
      ...{ query: '', accept: '', acceptEncoding: '', isHead: false },
      gone: new AbortController().signal,
    });
  const sampler = new LandingSampler(shown);
  sampler.start();
  onTestFinished(() => sampler.stop());
  return {
    page,
    headers: async () => (await ask()).headers,
    ledger,
    servers,
    stats,
    view: () => createLandingView({ ...shown, sampler, startedMs: 1_000_000 }),
    html: async () => Buffer.concat((await ask()).body).toString(),
  };
}

/** Lets a realm relay this many bytes each way on each side. */
function relay(ledger: Ledger, realm: string, bytes: number): void {
  const account = ledger.server(ledger.realm(realm), '192.0.2.1');
  const traffic = { receivedPackets: 1, receivedBytes: bytes, sentPackets: 1, sentBytes: bytes };
  addTrafficAt(account.sums, CLIENT, traffic);
  addTrafficAt(account.sums, PEER, traffic);
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'], now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('createLandingPage', () => {
  it('allows by hash the style and the script of the page, and nothing else', async () => {
    const { headers, html } = createScene();
    const body = await html();
    const policy = String((await headers())['content-security-policy']);
    for (const [directive, element] of [
      ['script-src', 'script'],
      ['style-src', 'style'],
    ]) {
      const text = body.split(`<${element}>`)[1]?.split(`</${element}>`)[0] ?? '';
      const hash = createHash('sha256').update(text).digest('base64');
      expect(policy).toContain(`${directive} 'sha256-${hash}';`);
    }
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(body).not.toMatch(/ style="| on[a-z]+="/);
  });

  it('is not to be kept or sniffed', async () => {
    expect(await createScene().headers()).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
  });

  it('loads itself anew where there is no JavaScript', async () => {
    expect(await createScene().html()).toContain(
      '<noscript><meta http-equiv="refresh" content="10"></noscript>',
    );
  });

  it('has a script that parses, and neither script nor style ends its element early', async () => {
    const body = await createScene().html();
    expect(body.split('<script>')[1]?.split('</script>')[0]).toBe(SCRIPT);
    expect(() => new Script(SCRIPT)).not.toThrow();
    expect(body.match(/<\/(script|style)>/g)).toEqual(['</style>', '</script>']);
  });

  it('shows version, revision and links', async () => {
    const body = await createScene({ metricsPath: '/m' }).html();
    expect(body).toContain('1.2.3');
    expect(body).toContain('0123456789ab');
    expect(body).toContain('href="./m"');
    expect(body).toContain('href="./readyz"');
  });

  it('makes hostile names harmless', async () => {
    const { ledger, html, view } = createScene();
    relay(ledger, HOSTILE, 1);
    expect(await html()).not.toContain('<script>alert');
    expect(await html()).toContain(
      '&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;',
    );
    expect((await view()).realms[0]?.realm).toBe(HOSTILE);
  });

  it('shows realms by bandwidth, both sides apart, averaged over a minute', async () => {
    const { ledger, view } = createScene();
    relay(ledger, '', 750);
    relay(ledger, 'big.example', 7_500_000);
    await vi.advanceTimersByTimeAsync(60_000);
    const { client, realms } = await view();
    expect(realms).toMatchObject([
      {
        realm: 'big.example',
        isName: true,
        client: { text: '2.00 Mbit/s', detail: 'in 1.00 Mbit/s, out 1.00 Mbit/s' },
        peer: { text: '2.00 Mbit/s' },
      },
      { realm: 'no realm', isName: false, client: { text: '200 bit/s' }, sessions: '0' },
    ]);
    expect(client.text).toBe('2.00 Mbit/s');
  });

  it('sums the realms beyond the tenth in one line', async () => {
    const { ledger, view } = createScene();
    for (let index = 1; index <= 11; index += 1) relay(ledger, `realm${index}`, index * 75_000);
    expect((await view()).realms).toHaveLength(11);
    for (let index = 12; index <= 40; index += 1) relay(ledger, `realm${index}`, index * 75_000);
    await vi.advanceTimersByTimeAsync(60_000);
    const { realms } = await view();
    expect(realms).toHaveLength(11);
    expect(realms[0]).toMatchObject({ realm: 'realm40', client: { text: '800 kbit/s' } });
    // 20 kbit/s × (1 + … + 30)
    expect(realms[10]).toMatchObject({
      realm: '30 other realms',
      isName: false,
      client: { text: '9.30 Mbit/s', detail: 'in 4.65 Mbit/s, out 4.65 Mbit/s' },
    });
    const { label } = realms[10]?.client.graph ?? {};
    expect(label).toMatch(/^Client side of 30 other realms, .* now 9.30 Mbit/);
  });

  it('shows live allocations by transport, and none of a transport never seen', async () => {
    const { ledger, view } = createScene();
    const account = ledger.server(ledger.realm('a'), 's');
    for (let count = 0; count < 4; count += 1) account.changeLive('udp', 1);
    account.changeLive('tls', 1);
    const { transports, allocations } = await view();
    expect(transports).toEqual([
      { transport: 'UDP', count: '4', share: '100%' },
      { transport: 'TLS', count: '1', share: '25%' },
    ]);
    expect(allocations.text).toBe('5');
  });

  it('shows each server, those that are down first and the busiest next', async () => {
    const { ledger, servers, view, html } = createScene();
    for (const name of ['turn-1', 'turn-2', HOSTILE]) {
      const connected = servers.connected(name);
      connected.join();
      connected.join();
    }
    servers.connected('turn-1').hear(Date.now() + 55_000);
    const gone = servers.connected(HOSTILE);
    gone.leave(Date.now());
    gone.leave(Date.now());
    for (const realm of ['a', 'b']) {
      const account = ledger.server(ledger.realm(realm), 'turn-2');
      account.changeSessions(1);
      addTrafficAt(account.sums, CLIENT, { ...NOTHING, receivedBytes: 3_750_000 });
    }
    await vi.advanceTimersByTimeAsync(60_000);
    expect((await view()).serverCount).toBe('3 servers, 1 down, 4 connections');
    expect((await view()).servers).toMatchObject([
      { server: HOSTILE, state: 'down', detail: '0 connections', age: 'never' },
      { server: 'turn-2', state: 'up', sessions: '2', client: { text: '1.00 Mbit/s' } },
      { server: 'turn-1', state: 'up', sessions: '0', age: '5 s ago', peer: { text: '0 bit/s' } },
    ]);
    expect(await html()).not.toContain(HOSTILE);
    expect(await html()).toContain(
      '<span class="state" data-state="down">down</span> 0 connections',
    );
  });

  it('shows no more servers than anybody reads', async () => {
    const { servers, view } = createScene();
    for (let number = 0; number < 1000; number += 1) servers.connected(`s${number}`).join();
    expect((await view()).serverCount).toBe('1,000 servers, 1,000 connections');
    expect((await view()).servers).toHaveLength(MAX_SHOWN_SERVERS);
  });

  it('looks at few pairs of realm and server in one turn of the event loop', async () => {
    const { ledger, view } = createScene();
    for (let pair = 0; pair < 10_000; pair += 1) {
      const account = ledger.server(ledger.realm(`r${pair % 10}`), `s${Math.floor(pair / 10)}`);
      account.changeLive('udp', 1);
    }
    const looks = countLooks(ledger);
    const end = mostInOneTurn(looks);
    expect((await view()).allocations.text).toBe('10,000');
    expect(end()).toBeLessThanOrEqual(1_000);
    expect(looks()).toBe(10_000);
  });

  it('shows what a source does', async () => {
    const { stats, view } = createScene({ status: { up: true, detail: '3 connections' } });
    for (let count = 0; count < 600; count += 1) stats.countEvent('new', Date.now() + 55_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect((await view()).sources).toEqual([
      {
        name: 'statsdb',
        kind: 'embedded statsdb',
        state: 'up',
        detail: '3 connections',
        rate: '10.0',
        age: '5 s ago',
      },
    ]);
  });

  it.each([
    [{ up: false, ready: true }, 'waiting'],
    [{ up: false, ready: false }, 'down'],
  ] as const)('says that a source with %j is %s', async (status, state) => {
    expect((await createScene({ status }).view()).sources[0]?.state).toBe(state);
  });

  it.each<[string, PublishTarget, string]>([
    ['its own address', TARGET, 'redis-statsdb="ip=127.0.0.1 port=6380"'],
    [
      'ADDRESS where it listens on all',
      { host: '::', port: 7, hasPassword: false },
      'redis-statsdb="ip=ADDRESS port=7"',
    ],
    [
      'that there is a password',
      { ...TARGET, hasPassword: true },
      'redis-statsdb="ip=127.0.0.1 port=6380 password=…"',
    ],
    [
      'a Redis',
      { host: '10.0.0.9', port: 6379, db: 2, hasPassword: false },
      'redis-statsdb="ip=10.0.0.9 dbname=2 port=6379"',
    ],
    [
      'a Sentinel, whose Redis it cannot know',
      { db: 1, hasPassword: false },
      'redis-statsdb="ip=ADDRESS dbname=1 port=6379"',
    ],
  ])('tells how to connect a coturn: %s', async (_name, target, line) => {
    const { html } = createScene({ targets: [target] });
    expect(setupLine(target)).toBe(line);
    expect(await html()).toContain(`<code>${line.replaceAll('"', '&quot;')}</code>`);
  });

  it('does not tell how to connect once a coturn was heard', async () => {
    const { stats, html, view } = createScene();
    stats.countEvent('other', 1);
    expect((await view()).setup).toEqual([]);
    expect(await html()).not.toContain('<section class="setup">');
    expect((await createScene({ status: { up: true } }).view()).setup).toEqual([]);
  });

  it('samples between start and stop', async () => {
    const { page, ledger, html } = createScene();
    const before = vi.getTimerCount();
    page.start();
    page.start();
    expect(vi.getTimerCount()).toBe(before + 1);
    for (let count = 0; count < 3; count += 1) ledger.realm('a').changeLive('true', 1);
    await vi.advanceTimersByTimeAsync(30_000);
    const [graph = ''] = /<svg[^>]*>.*?<\/svg>/.exec(await html()) ?? [];
    expect(graph).toContain('aria-label="Live sessions, last 5 minutes: 0 to 3, now 3"');
    // Four samples and the present.
    expect(/class="line" d="([^"]*)"/.exec(graph)?.[1]?.split('L')).toHaveLength(5);
    page.stop();
    page.stop();
    expect(vi.getTimerCount()).toBe(before);
  });
});
