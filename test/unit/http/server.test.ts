import { describe, expect, it } from 'vitest';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import { fakeSource } from '../metrics/scrape.ts';
import { createTestServer } from './test-server.ts';

const PATHS = ['/metrics', '/livez', '/healthz', '/readyz', '/drain', '/'];
const STACK = /\bat .*\.[jt]s:\d+|node_modules|Error:/;

describe('createServer', () => {
  it.each(PATHS)('answers GET and HEAD of %s alike', async (url) => {
    const { server } = await createTestServer();
    const got = await server.inject({ method: 'GET', url });
    const head = await server.inject({ method: 'HEAD', url });
    expect(got.statusCode).toBe(200);
    expect(got.body).not.toBe('');
    expect(head.statusCode).toBe(200);
    expect(head.body).toBe('');
    expect(head.headers['content-type']).toBe(got.headers['content-type']);
  });

  describe.each([...PATHS, '/nothing'])('%s', (url) => {
    it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const)(
      'refuses %s',
      async (method) => {
        const { server } = await createTestServer();
        const reply = await server.inject({ method, url });
        expect(reply.statusCode).toBe(405);
        expect(reply.headers.allow).toBe('GET, HEAD');
      },
    );
  });

  it.each([
    ['application/x-www-form-urlencoded', 'a=1'],
    ['application/json', '{"a":'],
    ['application/xml', '<a/>'],
    ['text/plain', 'a'],
  ])('refuses POST with a body of %s as it does without', async (type, payload) => {
    const { server } = await createTestServer();
    const headers = { 'content-type': type };
    const reply = await server.inject({ method: 'POST', url: '/metrics', headers, payload });
    expect(reply.statusCode).toBe(405);
    expect(reply.headers.allow).toBe('GET, HEAD');
  });

  it.each([
    '/nothing',
    '/metrics/',
    '/metrics/..%2f',
    '//metrics',
    '/favicon.ico',
    '/.env',
    '/__proto__',
  ])('has nothing at %s', async (url) => {
    const { server } = await createTestServer();
    for (const method of ['GET', 'HEAD'] as const) {
      const reply = await server.inject({ method, url });
      expect(reply.statusCode).toBe(404);
      expect(reply.body).not.toContain(url);
    }
  });

  it.each([
    { url: '/nothing' },
    { url: '/%' },
    { url: '/%ff%fe' },
    { url: `/${'x'.repeat(5_000)}` },
    { method: 'POST' as const, url: '/metrics', payload: 'x'.repeat(100_000) },
    { method: 'POST' as const, url: '/', headers: { 'content-type': 'x' }, payload: 'x' },
    { url: '/metrics', headers: { accept: 'x'.repeat(5_000), 'accept-encoding': '\u00ff' } },
  ])('shows no stack trace to %j', async (request) => {
    const { server, log } = await createTestServer();
    const reply = await server.inject(request);
    expect(reply.statusCode).toBeLessThan(500);
    expect(reply.body).not.toMatch(STACK);
    expect(log).toEqual([]);
  });
});

describe('addHealthRoutes', () => {
  it.each(['/livez', '/healthz'])('answers %s whatever the sources do', async (url) => {
    const { server, scraped } = await createTestServer();
    scraped.isUp = false;
    const reply = await server.inject(url);
    expect(reply.statusCode).toBe(200);
    expect(reply.body).toBe('ok\n');
    expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8');
  });

  it('is ready while every source can receive', async () => {
    const other = fakeSource(new SourceStats('other', 'status'), () => true);
    const { server } = await createTestServer({ sources: [other] });
    const reply = await server.inject('/readyz');
    expect(reply.statusCode).toBe(200);
    expect(reply.body).toBe('ready: redis: subscribed\nready: other: subscribed\n');
  });

  it('is not ready while one source cannot receive, and says which and why', async () => {
    const other = fakeSource(new SourceStats('other', 'status'), () => false);
    const { server } = await createTestServer({ sources: [other] });
    const reply = await server.inject('/readyz');
    expect(reply.statusCode).toBe(503);
    expect(reply.body).toBe('ready: redis: subscribed\nnot ready: other: connection refused\n');
    expect((await server.inject({ method: 'HEAD', url: '/readyz' })).statusCode).toBe(503);
  });

  it('tells how many allocations live, as a plain number', async () => {
    const { server, scraped } = await createTestServer();
    const drain = async () => (await server.inject('/drain')).body;
    expect(await drain()).toBe('0\n');
    const [alice, bob] = [
      { realm: 'a', username: 'alice', id: 1 },
      { realm: 'b', username: 'bob', id: 2 },
    ];
    scraped.begin(alice).begin(bob);
    expect(await drain()).toBe('2\n');
    scraped.end(alice);
    expect(await drain()).toBe('1\n');
    scraped.end(bob);
    expect(await drain()).toBe('0\n');
  });
});

describe('the landing page of a server', () => {
  const HOSTILE = '<script>alert("1")</script>&\'';

  it('escapes what sources and realms are called', async () => {
    const source = fakeSource(new SourceStats(HOSTILE, 'status'), () => false);
    const { server, scraped } = await createTestServer({ sources: [source] });
    scraped.begin({ realm: HOSTILE, username: HOSTILE });
    const { body, statusCode } = await server.inject('/');
    expect(statusCode).toBe(200);
    expect(body).not.toContain('<script>alert');
    expect(body).toContain('&lt;script&gt;alert(');
  });

  it('has no user data', async () => {
    const { server, scraped } = await createTestServer();
    const who = { realm: 'example.org', username: 'secret-name', remote: '203.0.113.77:4242' };
    scraped.begin(who).relay(who, { received: 100, sent: 100 });
    const { body } = await server.inject('/');
    expect(body).toContain('example.org');
    expect(body).not.toContain('secret-name');
    expect(body).not.toContain('203.0.113.77');
    expect(body).not.toContain('session-1');
  });
});
