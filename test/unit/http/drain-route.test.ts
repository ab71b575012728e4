import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LOOK_MS, MAX_WAITING } from '../../../src/http/drain-route.ts';
import { createTestServer, type TestServerOptions } from './test-server.ts';

const ALICE = { realm: 'a', username: 'alice', id: 1 };
const BOB = { realm: 'b', username: 'bob', id: 2 };
/** Where `begin` says that an allocation lives. */
const SERVER = '192.0.2.1';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function createScene(options: TestServerOptions = {}) {
  const { server, scraped } = await createTestServer(options);
  const ask = async (query: string): Promise<string> => {
    const { statusCode, body } = await server.inject(`/drain${query}`);
    return `${statusCode} ${body.trim()}`;
  };
  /** Asks, and gives the answer once there is one. */
  const begin = (query: string): { answer: string } => {
    const asked = { answer: '' };
    void ask(query).then((answer) => {
      asked.answer = answer;
    });
    return asked;
  };
  /** Lets those who wait look again. */
  const look = async (ms: number = LOOK_MS): Promise<void> => {
    await settle();
    scraped.nowMs += ms;
    vi.advanceTimersByTime(ms);
    await settle();
  };
  return { scraped, ask, begin, look };
}

/** Requests are handled in some turns of the event loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((done) => setImmediate(done));
}

describe('/drain', () => {
  it('tells the live allocations of one server, and knows no others', async () => {
    const { scraped, ask } = await createScene();
    scraped.servers.connected('idle').join();
    scraped.begin(ALICE).begin(BOB);
    expect(await ask('')).toBe('200 2');
    expect(await ask(`?server=${SERVER}`)).toBe('200 2');
    expect(await ask('?server=idle')).toBe('200 0');
    for (const unknown of ['nobody', '', '~other']) {
      expect(await ask(`?server=${unknown}&wait=1h`)).toBe('404 no such server');
    }
  });

  it.each(['5', '-1s', '2h', ''])('refuses to wait for %j', async (wait) => {
    const { ask } = await createScene();
    expect(await ask(`?wait=${wait}`)).toBe('400 wait is a time such as 300s, up to 1h');
  });

  it('waits until the last allocation of a server is gone', async () => {
    const { scraped, begin, look } = await createScene();
    scraped.begin(ALICE).begin(BOB);
    const asked = begin(`?server=${SERVER}&wait=300s`);
    const all = begin('?wait=300s');
    await look();
    scraped.end(ALICE);
    await look();
    expect([asked.answer, all.answer]).toEqual(['', '']);
    scraped.end(BOB);
    await look();
    expect([asked.answer, all.answer]).toEqual(['200 0', '200 0']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits no longer than it is asked to, and not at all where nothing lives', async () => {
    const { scraped, ask, begin, look } = await createScene();
    expect(await ask('?wait=300s')).toBe('200 0');
    scraped.begin(ALICE);
    const asked = begin('?wait=2s');
    await look(1_999);
    expect(asked.answer).toBe('');
    await look();
    expect(asked.answer).toBe('200 1');
  });

  it.each([
    [40, MAX_WAITING],
    [5, 2],
    [1, 0],
  ])('of %i requests at a time lets %i wait, and serves the others', async (maxRequests, most) => {
    const { scraped, ask, begin, look } = await createScene({ maxRequests });
    scraped.begin(ALICE);
    const waiting = Array.from({ length: most }, () => begin('?wait=300s'));
    await look();
    expect(await ask('?wait=300s')).toBe('503 too many wait already');
    expect(await ask('')).toBe('200 1');
    scraped.end(ALICE);
    await look();
    expect(waiting.map(({ answer }) => answer)).toEqual(waiting.map(() => '200 0'));
    expect(await ask('?wait=300s')).toBe('200 0');
  });
});
