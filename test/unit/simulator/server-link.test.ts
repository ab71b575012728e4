import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FLAVOURS, type FlavourName } from '../../../src/simulator/fleet-options.ts';
import { ServerLink } from '../../../src/simulator/server-link.ts';
import type { Target } from '../../../src/simulator/wire.ts';
import { until } from '../../support/until.ts';
import { FakeStatsdb } from './fake-statsdb.ts';

const KEYS = ['keys', 'turn/*/allocation/*/status'];
const statsdb = new FakeStatsdb();

beforeEach(async () => {
  statsdb.connections.length = 0;
  statsdb.keys = [];
  await statsdb.start();
});
afterEach(() => statsdb.stop());

function link(flavour: FlavourName, target: Target = statsdb.target): ServerLink {
  const settings = { address: '127.0.0.5', flavour: FLAVOURS[flavour], relayThreads: 2 };
  return new ServerLink({ target, ...settings });
}

describe('ServerLink', () => {
  it('starts as coturn 4.6.1 does', async () => {
    const server = link('4.6.1');
    await server.open();
    await server.close();
    const [first, ...others] = statsdb.connections.map(({ commands }) => commands);
    expect(first).toEqual([['AUTH', ''], ['select', '0'], KEYS]);
    expect(others).toEqual(
      Array.from({ length: 3 }, () => [
        ['AUTH', ''],
        ['SELECT', '0'],
      ]),
    );
  });

  it('starts as coturn 4.17.1 does, deleting the keys that are there', async () => {
    statsdb.keys = ['turn/a', 'turn/\xff'];
    const server = link('4.17.1');
    await server.open();
    await server.close();
    const [first, second] = statsdb.connections.map(({ commands }) => commands);
    expect(first).toEqual([['select', '0'], KEYS, ['del', 'turn/a'], ['del', 'turn/\xff']]);
    expect(second).toEqual([['SELECT', '0']]);
  });

  it.runIf(process.platform === 'linux')('comes from its own address', async () => {
    const server = link('4.17.1');
    await server.open();
    await server.close();
    expect(new Set(statsdb.connections.map(({ from }) => from))).toEqual(new Set(['127.0.0.5']));
  });

  it('delivers what each thread says in its order, before it is closed', async () => {
    const server = link('4.17.1');
    await server.open();
    for (let number = 0; number < 5000; number += 1) {
      server.publish(number % 2, 'turn/x', String(number));
    }
    server.set(0, 'turn/y', 'new');
    server.delete(0, 'turn/y');
    await server.close();
    const even = statsdb.connections.find(({ commands }) => commands[1]?.[2] === '0');
    expect(even?.commands.slice(1, -2).map(([, , text]) => Number(text))).toEqual(
      Array.from({ length: 2500 }, (_, index) => 2 * index),
    );
    expect(even?.commands.slice(-2)).toEqual([
      ['set', 'turn/y', 'new'],
      ['del', 'turn/y', ''],
    ]);
    expect(server.losses).toEqual({ lostEvents: 0, breaks: 0 });
  });

  it('starts anew after a crash once the last word of the old process was read', async () => {
    const server = link('4.17.1');
    await server.open();
    server.publish(0, 'turn/x', 'last');
    server.stopped();
    server.started();
    server.publish(0, 'turn/x', 'first');
    await server.flush();
    await server.close();
    const [, ...seen] = statsdb.connections;
    const asking = seen.findIndex(({ commands }) => commands.some(([name]) => name === 'keys'));
    const ends = seen.slice(0, asking).map(({ endedAt }) => endedAt ?? Number.POSITIVE_INFINITY);
    expect(ends).toHaveLength(3);
    expect(Math.max(...ends)).toBeLessThan(seen[asking]?.openedAt ?? 0);
    expect(statsdb.commands('publish').map(([, , text]) => text)).toEqual(['last', 'first']);
  });

  it('loses what nobody listens to, counts it, and connects again with the next event', async () => {
    const server = link('4.17.1');
    await server.open();
    await statsdb.stop();
    await until(() => server.losses.breaks, {
      what: 'all connections to break',
      isDone: (breaks) => breaks === 3,
    });
    server.publish(0, 'turn/x', 'lost');
    await server.flush();
    expect(server.losses).toEqual({ lostEvents: 1, breaks: 3 });
    await statsdb.start();
    await until(
      async () => {
        server.publish(0, 'turn/x', 'again');
        await server.flush();
        return statsdb.commands('publish');
      },
      { what: 'an event to arrive', isDone: (published) => published.length > 0 },
    );
    await server.close();
    expect(statsdb.connections.at(-1)?.commands.slice(0, 2)).toEqual([
      ['SELECT', '0'],
      ['publish', 'turn/x', 'again'],
    ]);
  });

  it('does not open when nobody listens', async () => {
    await statsdb.stop();
    await expect(link('4.6.1').open()).rejects.toThrow('ECONNREFUSED');
  });

  it('waits for a slow reader instead of filling up memory', async () => {
    const server = link('4.17.1');
    await server.open();
    statsdb.pause(true);
    const text = 'x'.repeat(1_000_000);
    let written = 0;
    let flushing: Promise<void> | undefined;
    let isFlushed = true;
    // The kernel holds a few megabytes for us; beyond them a flush does not end.
    while (isFlushed) {
      isFlushed = false;
      server.publish(0, 'turn/x', text);
      written += 1;
      expect(written).toBeLessThan(100);
      flushing = server.flush().then(() => {
        isFlushed = true;
      });
      await Promise.race([flushing, new Promise((resolve) => setTimeout(resolve, 200))]);
    }
    statsdb.pause(false);
    await flushing;
    await server.close();
    expect(statsdb.commands('publish')).toHaveLength(written);
  });
});
