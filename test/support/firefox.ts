import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Defer } from './cleanup.ts';
import { servePages } from './page-server.ts';
import { createTempFolder } from './temp-folder.ts';
import { TestProcess } from './test-process.ts';
import { until } from './until.ts';

/** Of Debian's packages. */
const FIREFOX = '/usr/bin/firefox-esr';
const CERTUTIL = '/usr/bin/certutil';

/** It calls itself over loopback, without a camera and without asking anybody, and stays at home. */
const PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.dns.disablePrefetch': true,
  'app.normandy.enabled': false,
  'app.update.auto': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.homepage_override.mstone': 'ignore',
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.getAddons.cache.enabled': false,
  'extensions.update.enabled': false,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.server': 'data:,',
};

/** A page of a browser in which a test runs functions. */
export interface Tab {
  /** Runs a function in the page; what it takes and gives is JSON. */
  evaluate<Arg, Result>(run: (arg: Arg) => Result | Promise<Result>, arg: Arg): Promise<Result>;
}

interface Task {
  readonly code: string;
  readonly settle: (answer: { readonly value?: unknown; readonly error?: string }) => void;
}

/** Why {@link openFirefox} cannot work here; undefined when it can. */
export function whyNoFirefox(): string | undefined {
  const missing = [FIREFOX, CERTUTIL].filter((path) => !existsSync(path));
  if (missing.length === 0) return undefined;
  return `${missing.join(' and ')} must be there: apt install firefox-esr libnss3-tools`;
}

/**
 * A headless Firefox with a page of this script; it takes certificates of the authority in this
 * file, too. The page asks its own server what to do, since the package brings no driver.
 */
export async function openFirefox(defer: Defer, script: string, authority?: string): Promise<Tab> {
  const tasks = new Tasks();
  const url = await serve(defer, script, tasks);
  const profile = createTempFolder(defer);
  const lines = Object.entries(PREFERENCES).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  writeFileSync(join(profile, 'user.js'), lines.join(''));
  if (authority !== undefined) trust(profile, authority);
  const firefox = new TestProcess(defer, {
    command: FIREFOX,
    args: ['--headless', '--no-remote', '--profile', profile, url],
    env: { ...process.env, HOME: profile, MOZ_DISABLE_CONTENT_SANDBOX: '1' },
  });
  await until(() => tasks.isAsked, {
    what: 'Firefox to open the page',
    timeoutMs: 60_000,
    isDone: (isAsked) => isAsked,
    show: () => firefox.describe(),
  });
  return {
    evaluate: (run, arg) => tasks.run(`(${run})(${JSON.stringify(arg)})`),
  };
}

/** Has Firefox take the certificates of an authority, as people may in its preferences. */
function trust(profile: string, authority: string): void {
  const certutil = (...args: readonly string[]) =>
    execFileSync(CERTUTIL, ['-d', `sql:${profile}`, ...args]);
  certutil('-N', '--empty-password');
  certutil('-A', '-n', 'authority', '-t', 'C,,', '-i', authority);
}

/** What the page is to do, one task at a time. */
class Tasks {
  isAsked = false;
  readonly #waiting: Task[] = [];
  #running: Task | undefined;
  #asked: ((task: Task) => void) | undefined;

  async run<Result>(code: string): Promise<Result> {
    const answer = await new Promise<{ readonly value?: unknown; readonly error?: string }>(
      (settle) => {
        this.#waiting.push({ code, settle });
        this.#hand();
      },
    );
    if (answer.error !== undefined) throw new Error(answer.error);
    // The text of a function of this type has made it.
    return answer.value as Result;
  }

  next(respond: (code: string) => void): void {
    this.isAsked = true;
    this.#asked = (task) => {
      this.#running = task;
      respond(task.code);
    };
    this.#hand();
  }

  answer(body: string): void {
    const task = this.#running;
    this.#running = undefined;
    task?.settle(JSON.parse(body));
  }

  #hand(): void {
    const asked = this.#asked;
    if (asked === undefined) return;
    const task = this.#waiting.shift();
    if (task === undefined) return;
    this.#asked = undefined;
    asked(task);
  }
}

/** Runs in the page: asks for the next task, does it, tells what came of it. */
async function work(): Promise<void> {
  for (;;) {
    const code = await (await fetch('/next')).text();
    let answer: unknown;
    try {
      // biome-ignore lint/security/noGlobalEval: this is what the page is for
      answer = { value: await globalThis.eval(code) };
    } catch (error) {
      answer = { error: String(error) };
    }
    await fetch('/answer', { method: 'POST', body: JSON.stringify(answer) });
  }
}

function serve(defer: Defer, script: string, tasks: Tasks): Promise<string> {
  return servePages(defer, (request, response) => {
    if (request.url === '/next') {
      tasks.next((code) => response.end(code));
    } else if (request.url === '/answer') {
      void text(request).then((body) => {
        response.end();
        tasks.answer(body);
      });
    } else {
      response.setHeader('content-type', 'text/html');
      response.end(`<!doctype html><title>Calls</title><script>${script};(${work})();</script>`);
    }
  });
}
