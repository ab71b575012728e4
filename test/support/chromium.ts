import { type Browser, chromium } from 'playwright-core';
import type { Defer } from './cleanup.ts';

/** Of the Debian package; playwright-core brings no browser. */
const CHROMIUM = '/usr/bin/chromium';
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A headless Chromium; `args` are its flags beside those that keep it from the network. */
export async function startChromium(defer: Defer, args: readonly string[] = []): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...ARGS, ...args] });
  defer(() => browser.close());
  return browser;
}
