import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { plain, type Route } from '../../../src/http/route.ts';
import { createWebServer } from '../../../src/http/server.ts';
import { WebStats } from '../../../src/metrics/web-metrics.ts';
import { until } from '../../support/until.ts';

const PROBE: Route = { kind: 'probe', answer: () => plain(200, 'ok') };
const LARGE = Buffer.alloc(8 * 1024 * 1024, 'x');

interface Scene {
  readonly stats: WebStats;
  /** Moves the time of the server, in ms. */
  advance(ms: number): void;
  open(): Promise<Socket>;
  /** Sends this on a connection of its own, and reads until the server closes it. */
  send(request: string): Promise<string>;
  /** Lets the answers to `/slow` go. */
  release(): void;
}

async function createScene(maxRequests = 40): Promise<Scene> {
  const stats = new WebStats();
  const held: (() => void)[] = [];
  const page = (body: Buffer): Route => ({
    kind: 'page',
    answer: () => ({ status: 200, headers: {}, body: [body] }),
  });
  const slow: Route = {
    kind: 'page',
    answer: () => new Promise((resolve) => held.push(() => resolve(plain(200, 'slow')))),
  };
  let leap = 0;
  const server = createWebServer({
    routes: new Map([
      ['/livez', PROBE],
      ['/large', page(LARGE)],
      ['/slow', slow],
    ]),
    maxRequests,
    probesUnauthenticated: false,
    stats,
    log: pino({ level: 'silent' }),
    nowMs: () => performance.now() + leap,
  });
  onTestFinished(() => server.close());
  const { port } = new URL(await server.listen({ host: '127.0.0.1', port: 0 }));
  const open = async (): Promise<Socket> => {
    const socket = connect(Number(port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };
  return {
    stats,
    advance: (ms) => {
      leap += ms;
    },
    open,
    async send(request) {
      const socket = await open();
      socket.write(request);
      return await text(socket).catch(() => '');
    },
    release: () => {
      for (const answer of held.splice(0)) answer();
    },
  };
}

const get = (path: string, headers = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;
const CLOSE = 'Connection: close\r\n';

describe('createWebServer', () => {
  it('answers one request after the other on a connection', async () => {
    const { open } = await createScene();
    const socket = await open();
    for (let time = 0; time < 3; time += 1) {
      socket.write(get('/livez'));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\n\r\nok\n$/s);
    }
  });

  it('answers one of many requests that come without waiting, and hangs up', async () => {
    const { send, stats } = await createScene();
    const answer = await send(get('/livez').repeat(2_000));
    expect(answer.match(/HTTP\/1.1 200/g)).toHaveLength(1);
    expect(stats.refused.pipelined).toBeGreaterThan(0);
  });

  it('refuses a body without reading it', async () => {
    const { send } = await createScene();
    const length = 'Content-Length: 1000000000000\r\n';
    const post = `POST /livez HTTP/1.1\r\nHost: a\r\n${length}\r\nabc`;
    expect(await send(post)).toMatch(/^HTTP\/1.1 405 .*connection: close/is);
    expect(await send(get('/livez', length))).toMatch(/^HTTP\/1.1 400 .*connection: close/is);
    const chunked = get('/livez', 'Transfer-Encoding: chunked\r\n');
    expect(await send(`${chunked}5\r\nhello\r\n`)).toMatch(/^HTTP\/1.1 400 /);
  });

  it('tells who comes when it is busy to come back, but for probes', async () => {
    const { send, open, release, stats } = await createScene(2);
    const first = await open();
    const second = await open();
    first.write(get('/slow', CLOSE));
    second.write(get('/slow', CLOSE));
    const busy = await until(() => send(get('/slow', CLOSE)), {
      what: 'a refusal',
      isDone: (answer) => answer !== '',
    });
    expect(busy).toMatch(/^HTTP\/1.1 503 .*retry-after: 1\r\n.*connection: close/is);
    expect(await send(get('/livez', CLOSE))).toMatch(/^HTTP\/1.1 200 /);
    release();
    expect(await text(first)).toMatch(/^HTTP\/1.1 200 /);
    expect(await text(second)).toMatch(/^HTTP\/1.1 200 /);
    expect(await send(get('/large', CLOSE))).toMatch(/^HTTP\/1.1 200 /);
    expect(stats.refused.busy).toBe(1);
  });

  it('takes back the place of who goes away', async () => {
    const { send, open, release } = await createScene(1);
    const socket = await open();
    socket.write(get('/slow'));
    await until(() => send(get('/large', CLOSE)), {
      what: 'a refusal',
      isDone: (answer) => answer.startsWith('HTTP/1.1 503'),
    });
    socket.destroy();
    release();
    await until(() => send(get('/large', CLOSE)), {
      what: 'an answer',
      isDone: (answer) => answer.startsWith('HTTP/1.1 200'),
    });
  });

  it.each([
    ['who sends nothing', '', 10_000],
    ['who sends a request without end', 'GET /livez HTTP/1.1\r\nHost', 10_000],
    ['who idles after an answer', get('/livez'), 75_000],
    ['who does not read', get('/large'), 10_000 + LARGE.length / 64],
  ])('hangs up on %s', async (_who, request, deadlineMs) => {
    const { open, advance, stats } = await createScene();
    const socket = await open();
    if (request !== '') socket.write(request);
    const isAnswered = request.endsWith('\r\n\r\n');
    if (isAnswered) await once(socket, 'readable');
    const closed = once(socket, 'close');
    advance(deadlineMs - 5_000);
    expect(stats.refused.slow).toBe(0);
    advance(5_500);
    await until(() => stats.refused.slow, { what: 'the end', isDone: (count) => count === 1 });
    socket.resume();
    await closed;
  });

  it('gives the place of the connection that idles longest to a new one', async () => {
    const { open, send, stats } = await createScene();
    const first = await open();
    const closed = once(first, 'close');
    const others: Socket[] = [];
    for (let count = 1; count < 256; count += 1) others.push(await open());
    expect(await send(get('/livez', CLOSE))).toMatch(/^HTTP\/1.1 200 /);
    await closed;
    expect(others.filter(({ closed: isClosed }) => isClosed)).toEqual([]);
    expect(stats.refused.connections).toBe(1);
  });

  it('keeps the place of who was answered before, in a crowd that has asked nothing', async () => {
    const { open, stats } = await createScene();
    const known = await open();
    known.write(get('/livez'));
    await once(known, 'readable');
    known.read();
    for (let count = 1; count < 300; count += 1) await open();
    await until(() => stats.refused.connections, {
      what: 'some to give way',
      isDone: (refused) => refused === 44,
    });
    known.write(get('/livez'));
    await once(known, 'readable');
    expect(String(known.read())).toMatch(/^HTTP\/1.1 200 /);
  });
});
