import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { encodePair } from '../../src/simulator/wire.ts';
import { startChromium } from '../support/chromium.ts';
import { createCleanup, type Defer } from '../support/cleanup.ts';
import { allocationKey, payloadOf, statusOf, traffic } from '../support/coturn-message.ts';
import { type ExporterProcess, launchExporter } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import { until } from '../support/until.ts';

const HOSTILE = `"><script>alert(1)</script>`;
const TIMEOUT_MS = 60_000;

interface Scene {
  readonly exporter: ExporterProcess;
  /** What a coturn would send. */
  readonly coturn: () => Promise<Socket>;
}

interface Visit {
  readonly page: Page;
  /** All that Chromium complained of. */
  readonly complaints: string[];
  /** URL of every request. */
  readonly requests: string[];
}

const { defer, run: cleanUp } = createCleanup();
let browser: Browser;

beforeAll(async () => {
  browser = await startChromium(defer);
}, TIMEOUT_MS);
afterAll(cleanUp);

async function startScene(defer: Defer, args: readonly string[] = []): Promise<Scene> {
  const { first: port } = await claimPorts(defer);
  const exporter = launchExporter(defer, {
    args: ['--statsdb.listen-address', `127.0.0.1:${port}`, ...args],
  });
  await exporter.listening();
  const coturn = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    defer(() => void socket.destroy());
    socket.resume();
    await once(socket, 'connect');
    return socket;
  };
  return { exporter, coturn };
}

/** Two allocations of one user in this realm, over UDP and TLS, that relay 60 MB on each side. */
function relay(coturn: Socket, realm: string): void {
  for (const [id, type] of [
    ['001000000000000001', 'UDP'],
    ['001000000000000002', 'TLS/TCP'],
  ] as const) {
    const key = allocationKey('secret-user', id, realm);
    const status = statusOf('new', { type, remote: '203.0.113.77:50000' });
    coturn.write(encodePair('publish', `${key}/status`, status));
    const delta = payloadOf(traffic(2048, 15_000_000, 2048, 15_000_000));
    coturn.write(encodePair('publish', `${key}/traffic`, delta));
    coturn.write(encodePair('publish', `${key}/traffic/peer`, delta));
  }
}

async function visit(url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext(options);
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', async (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(url);
  return { page, complaints, requests };
}

/** The text that a person sees: without what is hidden, and without the script. */
function visibleText(place: Locator): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: textContent has hidden text in it
  return place.innerText();
}

/** Waits until the visible text of the page has this in it. */
function untilText(page: Page, text: string | RegExp): Promise<string> {
  return until(() => visibleText(page.locator('body')), {
    what: `the page to show ${text}`,
    isDone: (body) => (typeof text === 'string' ? body.includes(text) : text.test(body)),
    timeoutMs: 15_000,
    show: (body) => body,
  });
}

function expectOwnRequestsOnly({ requests }: Visit, exporter: ExporterProcess): void {
  expect(requests.length).toBeGreaterThan(0);
  // The icon is in the page itself.
  const fetched = requests.filter((url) => !url.startsWith('data:image/svg+xml,'));
  expect(new Set(fetched.map((url) => new URL(url).origin))).toEqual(new Set([exporter.address]));
}

describe('landing page in Chromium', () => {
  it('tells how to connect a coturn, then shows what it reports without a reload', async () => {
    const { exporter, coturn } = await startScene(onTestFinished);
    const seen = await visit(`${exporter.address}/`);
    const { page } = seen;
    await untilText(page, /redis-statsdb="ip=127\.0\.0\.1 port=\d+"/);
    await page.evaluate('window.isSamePage = true');

    relay(await coturn(), 'live.example.org');
    const text = await untilText(page, 'live.example.org');

    expect(text).not.toContain('redis-statsdb');
    expect(text).toContain('up, ready');
    const row = page.locator('tr', { hasText: 'live.example.org' });
    expect(await visibleText(row)).toMatch(/1\s+2\s+[\d.]+ Mbit\/s.*[\d.]+ Mbit\/s/s);
    expect(await page.locator('table[aria-labelledby=transports] tbody tr').count()).toBe(2);
    const label = await row.getByRole('img').first().getAttribute('aria-label');
    expect(label).toMatch(/^Client side of live\.example\.org, last 5 minutes: .* now [\d.]+ Mbit/);
    expect(await page.evaluate('window.isSamePage')).toBe(true);
    expect(seen.complaints).toEqual([]);
    expectOwnRequestsOnly(seen, exporter);
  }, 60_000);

  it('keeps focus, selection and scroll position as it updates', async () => {
    const { exporter, coturn } = await startScene(onTestFinished);
    const socket = await coturn();
    relay(socket, 'first.example.org');
    const { page } = await visit(`${exporter.address}/`, { viewport: { width: 800, height: 300 } });
    await untilText(page, 'first.example.org');
    await page.evaluate(`
      document.querySelector('nav a:nth-child(2)').focus({ preventScroll: true });
      scrollTo(0, 200);
      getSelection().selectAllChildren(document.getElementById('sources'));
    `);
    relay(socket, 'second.example.org');
    await untilText(page, 'second.example.org');
    expect(
      await page.evaluate('[document.activeElement.textContent, scrollY, String(getSelection())]'),
    ).toEqual(['Readiness', 200, 'Sources']);
  }, 60_000);

  it('shows no user and no address of a client', async () => {
    const { exporter, coturn } = await startScene(onTestFinished);
    relay(await coturn(), 'example.org');
    const { page } = await visit(`${exporter.address}/`);
    await untilText(page, 'example.org');
    const text = await page.content();
    expect(text).toContain('example.org');
    expect(text).not.toMatch(/secret-user|203\.0\.113\.77/);
  }, 60_000);

  it('takes hostile names of realms and sources as text, in HTML and by script', async () => {
    const redis = `redis://127.0.0.1:1/0#${HOSTILE}`;
    const { exporter, coturn } = await startScene(onTestFinished, ['--redis.url', redis]);
    const socket = await coturn();
    relay(socket, `${HOSTILE}1`);
    await exporter.untilMetrics((metrics) => metrics.sum('coturn_allocations') === 2, {
      what: 'two allocations',
    });
    const seen = await visit(`${exporter.address}/`);
    await untilText(seen.page, `${HOSTILE}1`);
    relay(socket, `${HOSTILE}2`);
    await untilText(seen.page, `${HOSTILE}2`);
    expect(await seen.page.locator('script').count()).toBe(1);
    expect(await visibleText(seen.page.locator('table[aria-labelledby=sources]'))).toContain(
      HOSTILE,
    );
    expect(seen.complaints).toEqual([]);
    expectOwnRequestsOnly(seen, exporter);
  }, 60_000);

  it('has a policy that refuses scripts other than its own', async () => {
    const { exporter } = await startScene(onTestFinished);
    const { page, complaints } = await visit(`${exporter.address}/`);
    await untilText(page, 'updated at');
    expect(complaints).toEqual([]);
    await page.evaluate(`
      document.addEventListener('securitypolicyviolation', (event) => {
        window.refused = event.effectiveDirective;
      });
      const script = document.createElement('script');
      try { script.text = 'window.isBroken = true'; } catch { window.isTextRefused = true; }
      document.head.append(script);
      const image = document.createElement('img');
      image.src = 'http://192.0.2.1/pixel.png';
      document.body.append(image);
    `);
    await until(() => page.evaluate('window.refused'), {
      what: 'a violation of the policy',
      isDone: (refused) => refused === 'img-src',
    });
    expect(await page.evaluate('[window.isTextRefused, window.isBroken]')).toEqual([
      true,
      undefined,
    ]);
  }, 60_000);

  it('says so when the exporter is gone, and when it is back in time', async () => {
    const { exporter } = await startScene(onTestFinished);
    const { page } = await visit(`${exporter.address}/`);
    await untilText(page, 'updated at');
    await page.context().setOffline(true);
    await untilText(page, 'The exporter does not answer');
    await page.context().setOffline(false);
    await until(() => visibleText(page.locator('body')), {
      what: 'the warning to go',
      isDone: (text) => !text.includes('does not answer'),
    });
    await exporter.stop();
    await untilText(page, /does not answer\. The numbers are from \d+:\d\d:\d\d/);
  }, 60_000);

  it('works without JavaScript', async () => {
    const { exporter, coturn } = await startScene(onTestFinished);
    relay(await coturn(), 'example.org');
    await exporter.untilMetrics((metrics) => metrics.sum('coturn_allocations') === 2, {
      what: 'two allocations',
    });
    const seen = await visit(`${exporter.address}/`, { javaScriptEnabled: false });
    const text = await visibleText(seen.page.locator('body'));
    expect(text).toMatch(/example\.org\s+1\s+2\s+[\d.]+ Mbit\/s/);
    expect(text).toContain('Without JavaScript');
    relay(await coturn(), 'later.example.org');
    await untilText(seen.page, 'later.example.org');
    expect(seen.complaints).toEqual([]);
    expectOwnRequestsOnly(seen, exporter);
  }, 60_000);

  it('is light or dark as the reader prefers, and fits a phone', async () => {
    const { exporter, coturn } = await startScene(onTestFinished);
    relay(await coturn(), `${'long-name.'.repeat(10)}example.org`);
    const background = 'getComputedStyle(document.body).backgroundColor';
    const colours = new Set<unknown>();
    for (const colorScheme of ['light', 'dark'] as const) {
      const viewport = { width: 360, height: 740 };
      const { page } = await visit(`${exporter.address}/`, { colorScheme, viewport });
      await untilText(page, 'long-name.');
      colours.add(await page.evaluate(background));
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(viewport.width);
    }
    expect(colours.size).toBe(2);
  }, 60_000);

  it('leads to the metrics and the readiness', async () => {
    const { exporter } = await startScene(onTestFinished, [
      '--web.telemetry-path',
      '/some/metrics',
    ]);
    const { page } = await visit(`${exporter.address}/`);
    for (const [name, body] of [
      ['Metrics', 'coturn_up'],
      ['Readiness', 'ready: statsdb'],
    ] as const) {
      await page.goto(`${exporter.address}/`);
      await page.getByRole('link', { name }).click();
      await untilText(page, body);
    }
  }, 60_000);
});
