import { Gauge, Registry } from 'prom-client';
import { SourceStats } from '../src/domain/source-stats.ts';
import { Tracker } from '../src/domain/tracker.ts';
import { UserMetrics } from '../src/metrics/user-metrics.ts';
import { createCommandReader } from '../src/sources/resp/commands.ts';
import { COMMAND_LIMITS } from '../src/sources/resp/limits.ts';
import { median } from './processes.ts';
import { allocationKey, delta, newStatus } from './stream.ts';

const EVENTS = 300_000;

/** A tracker in which `users` users hold an allocation each. */
function liveTracker(users: number): { tracker: Tracker; send: (count: number) => void } {
  const tracker = new Tracker({
    groupBy: 'user',
    lingerMs: 5000,
    userName: (username) => username.slice(username.indexOf(':') + 1),
    newSessionId: () => '',
    maxUsers: users,
    maxRealms: 1000,
  });
  const origin = tracker.openOrigin(new SourceStats('bench', 'status'), 'bench');
  for (let user = 0; user < users; user += 1) {
    // As from a socket: a text of its own, flat.
    const key = Buffer.from(`${allocationKey(user)}/status`).toString();
    tracker.receive(origin, key, Buffer.from(newStatus(user)).toString(), 1000);
  }
  const reader = createCommandReader(
    {
      messageInPlace: (message) => tracker.receiveDelta(origin, message, 2000),
      message: () => undefined,
      command: () => undefined,
    },
    COMMAND_LIMITS,
  );
  return {
    tracker,
    send(count) {
      const commands = Array.from({ length: count }, (_, number) => {
        const { key, payload } = delta(number, users);
        return `*3\r\n$7\r\npublish\r\n$${key.length}\r\n${key}\r\n$${payload.length}\r\n${payload}\r\n`;
      });
      reader.push(Buffer.from(commands.join('')));
    },
  };
}

/** Processor time for each event at a million live allocations against a thousand. */
export function benchScale(): string {
  const cost = (users: number): number => {
    const { send } = liveTracker(users);
    const rounds = Array.from({ length: 5 }, () => {
      const before = process.cpuUsage();
      send(EVENTS);
      const { user, system } = process.cpuUsage(before);
      return ((user + system) * 1000) / EVENTS;
    });
    return Math.min(...rounds);
  };
  const few = cost(1_000);
  const many = cost(1_000_000);
  return `an event with its making: ${few.toFixed(0)} ns at 1,000 live, ${many.toFixed(0)} ns at 1,000,000: ${(many / few).toFixed(2)} x`;
}

/** A scrape of 100,000 live users against prom-client with the same series. */
export async function benchScrape(): Promise<string> {
  const users = 100_000;
  const { tracker } = liveTracker(users);
  const metrics = new UserMetrics(tracker.users);
  const ours: number[] = [];
  const stalls: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    let longest = 0;
    let last = performance.now();
    const watch = setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }, 1);
    const started = performance.now();
    let length = 0;
    for await (const { text } of metrics.pieces(0, { nowMs: 3_000, wallOffsetMs: 0 }))
      length += Buffer.byteLength(text());
    ours.push(performance.now() - started);
    clearInterval(watch);
    stalls.push(longest);
    if (length === 0) throw new Error('Nothing was rendered');
  }
  const peer = await promClientScrape(users);
  return `scrape of ${users} users: ${median(ours).toFixed(0)} ms, prom-client ${peer.toFixed(0)} ms: 1/${(peer / median(ours)).toFixed(1)} of its time; longest stall ${median(stalls).toFixed(1)} ms`;
}

async function promClientScrape(users: number): Promise<number> {
  const registry = new Registry();
  const gauges = Array.from(
    { length: 5 },
    (_, number) =>
      new Gauge({
        name: `g${number}`,
        help: 'h',
        labelNames: ['realm', 'user'],
        registers: [registry],
      }),
  );
  for (let user = 0; user < users; user += 1) {
    for (const gauge of gauges) gauge.set({ realm: 'example.org', user: `user${user}` }, user);
  }
  const started = performance.now();
  await registry.metrics();
  return performance.now() - started;
}

/** Growth of memory for each live allocation with its user; wants `node --expose-gc`. */
export function benchMemory(): string {
  const users = 300_000;
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const { tracker } = liveTracker(users);
  globalThis.gc?.();
  const grown = (process.memoryUsage().rss - before) / users;
  return `memory: ${grown.toFixed(0)} bytes of RSS for each live allocation (${tracker.allocationCount} live)`;
}
