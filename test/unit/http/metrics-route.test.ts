import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createMetricsRoute, preferredFormat } from '../../../src/http/metrics-route.ts';
import { CONTENT_TYPES } from '../../../src/metrics/exposition.ts';
import { registerGauge } from '../../../src/metrics/live-metric.ts';
import { createRegistry } from '../../../src/metrics/registry.ts';
import { parseExposition } from '../../support/exposition.ts';
import { familiesOf, Scraped, withoutProcess } from '../metrics/scrape.ts';
import { createTestServer } from './test-server.ts';

const ALICE = { realm: 'example.org', username: 'alice' };

const ACCEPT: readonly [who: string, accept: string | undefined, format: 'text' | 'openmetrics'][] =
  [
    ['nobody', undefined, 'text'],
    ['an empty header', '', 'text'],
    ['curl', '*/*', 'text'],
    [
      'Prometheus 1 and 2.0',
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3,*/*;q=0.1',
      'text',
    ],
    [
      'Prometheus 2.5 to 2.40',
      'application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'openmetrics',
    ],
    [
      'Prometheus 2.53',
      'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'openmetrics',
    ],
    [
      'Prometheus 2.55 with protobuf',
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'openmetrics',
    ],
    [
      'Prometheus 3',
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'openmetrics',
    ],
    [
      'Prometheus 3 told to prefer text',
      'text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.2',
      'text',
    ],
    ["VictoriaMetrics' vmagent", 'text/plain;version=0.0.4;q=1,*/*;q=0.1', 'text'],
    [
      'Grafana Alloy',
      'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'openmetrics',
    ],
    [
      'Firefox',
      'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
      'text',
    ],
    [
      'Chrome',
      'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7',
      'text',
    ],
    ['who takes any text', 'text/*;q=0.9, application/openmetrics-text;q=0.1', 'text'],
    ['who takes both alike', 'text/plain, application/openmetrics-text', 'openmetrics'],
    ['who wants no OpenMetrics', 'application/openmetrics-text;q=0, */*', 'text'],
    ['who writes in capitals', 'Application/OpenMetrics-Text; Version=1.0.0; Q=0.9', 'openmetrics'],
    ['a quality that is no number', 'application/openmetrics-text;q=x', 'text'],
    ['a quality beyond 1', 'application/openmetrics-text;q=7,text/plain', 'text'],
    ['commas and semicolons only', ',;,;;q=,', 'text'],
  ];

describe('preferredFormat', () => {
  it.each(ACCEPT)('reads the Accept header of %s', (_, accept, format) => {
    expect(preferredFormat(accept ?? '')).toBe(format);
  });
});

describe('createMetricsRoute', () => {
  it.each(ACCEPT)('serves %s the format that it names', async (_, accept, format) => {
    const { server } = await createTestServer();
    const headers = accept === undefined ? {} : { accept };
    const reply = await server.inject({ url: '/metrics', headers });
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toBe(CONTENT_TYPES[format]);
    expect(reply.body.endsWith('\n# EOF\n')).toBe(format === 'openmetrics');
  });

  it('tells caches that the answer depends on Accept and Accept-Encoding', async () => {
    const { server } = await createTestServer();
    const reply = await server.inject({ url: '/metrics', headers: { 'accept-encoding': 'gzip' } });
    const vary = String(reply.headers.vary).toLowerCase().split(/, */);
    expect(vary.toSorted()).toEqual(['accept', 'accept-encoding']);
  });

  it('serves registry, users and the end in this order', async () => {
    const { server, scraped } = await createTestServer();
    scraped.begin(ALICE);
    const headers = { accept: 'application/openmetrics-text' };
    const { body } = await server.inject({ url: '/metrics', headers });
    const names = familiesOf(body).map(({ name }) => name);
    expect(names.indexOf('coturn_user_sessions')).toBeGreaterThan(names.indexOf('coturn_up'));
    expect(withoutProcess(body)).toBe(withoutProcess(await scraped.text('openmetrics')));
  });

  it('serves the same in both formats by turns', async () => {
    const { server, scraped } = await createTestServer();
    scraped.begin(ALICE).relay(ALICE, { received: 100, sent: 200 });
    const ask = async (accept: string) =>
      withoutProcess((await server.inject({ url: '/metrics', headers: { accept } })).body);
    const [text, open] = [await ask('text/plain'), await ask('application/openmetrics-text')];
    expect(await ask('text/plain')).toBe(text);
    expect(await ask('application/openmetrics-text')).toBe(open);
  });

  it.each([
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'gzip'],
    ['deflate;q=0.5, gzip;q=1.0', 'gzip'],
    ['GZIP', 'gzip'],
    ['*', 'gzip'],
    ['br', undefined],
    ['identity', undefined],
    ['gzip;q=0', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('answers Accept-Encoding %s with %s', async (encoding, expected) => {
    const { server, scraped } = await createTestServer({ maxUsers: 2_000 });
    for (let id = 1; id <= 1_200; id += 1) scraped.begin({ ...ALICE, username: `user-${id}`, id });
    const headers = encoding === undefined ? {} : { 'accept-encoding': encoding };
    const reply = await server.inject({ url: '/metrics', headers });
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-encoding']).toBe(expected);
    const bytes = reply.rawPayload;
    const text = (expected === 'gzip' ? gunzipSync(bytes) : bytes).toString();
    expect(withoutProcess(text)).toBe(withoutProcess(await scraped.text()));
  });

  it('renders once for all who wait for the same thing', async () => {
    const registry = createRegistry();
    let readings = 0;
    registerGauge(registry, {
      name: 'readings',
      help: 'How often this was read.',
      labels: [],
      read: () => {
        readings += 1;
        return [[{}, readings]];
      },
    });
    const { server } = await createTestServer({ registry });
    const ask = (headers: Record<string, string>) => server.inject({ url: '/metrics', headers });
    const same = await Promise.all(Array.from({ length: 30 }, () => ask({})));
    expect(readings).toBe(1);
    expect(new Set(same.map(({ body }) => body)).size).toBe(1);
    const open = { accept: 'application/openmetrics-text' };
    await Promise.all([ask({}), ask(open), ask({ 'accept-encoding': 'gzip' }), ask(open)]);
    expect(readings).toBe(4);
  });

  it('leaves a body as it is until all who share it have read it, then uses its memory again', async () => {
    const scraped = new Scraped();
    const route = createMetricsRoute({
      registry: scraped.registry,
      users: scraped.tracker.users,
      hasUserSeries: true,
      nowMs: () => scraped.nowMs,
      wallOffsetMs: () => 0,
    });
    const asked = { query: '', accept: '', acceptEncoding: '', isHead: false };
    const ask = ({ signal }: AbortController) => route.answer({ ...asked, gone: signal });
    const [one, two] = [new AbortController(), new AbortController()];
    const [first, second] = await Promise.all([ask(one), ask(two)]);
    const text = Buffer.concat(second.body).toString();
    one.abort();
    scraped.begin(ALICE);
    const other = await ask(new AbortController());
    expect(Buffer.concat(other.body).toString()).toContain('user="alice"');
    expect(Buffer.concat(second.body).toString()).toBe(text);
    two.abort();
    const next = await ask(new AbortController());
    expect(next.body[0]?.buffer).toBe(first.body[0]?.buffer);
    expect(other.body[0]?.buffer).not.toBe(first.body[0]?.buffer);
  });

  it('tells who comes while too many wait to come back, but not who asks for health', async () => {
    const { server, scraped } = await createTestServer({ maxRequests: 3 });
    const asked = Array.from({ length: 10 }, () => server.inject('/metrics'));
    expect((await server.inject('/livez')).statusCode).toBe(200);
    const statuses = (await Promise.all(asked)).map(({ statusCode }) => statusCode);
    expect(statuses.filter((status) => status === 200)).toHaveLength(3);
    expect(statuses.filter((status) => status === 503)).toHaveLength(7);
    expect(scraped.web.refused.busy).toBe(7);
    expect((await server.inject('/metrics')).statusCode).toBe(200);
  });

  it('answers HEAD like GET, without the body', async () => {
    const { server } = await createTestServer();
    const headers = { accept: 'application/openmetrics-text' };
    const reply = await server.inject({ method: 'HEAD', url: '/metrics', headers });
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toBe(CONTENT_TYPES.openmetrics);
    expect(reply.rawPayload).toHaveLength(0);
  });

  it('takes a query and ignores it', async () => {
    const { server } = await createTestServer();
    const reply = await server.inject({ url: '/metrics?name[]=coturn_up' });
    expect(reply.statusCode).toBe(200);
    expect(parseExposition(reply.body).value('coturn_up')).toBe(1);
  });

  it('answers while every source is down', async () => {
    const { server, scraped } = await createTestServer();
    scraped.isUp = false;
    const reply = await server.inject('/metrics');
    expect(reply.statusCode).toBe(200);
    expect(parseExposition(reply.body).value('coturn_up', { source: 'redis' })).toBe(0);
  });

  it('serves its own path and no other', async () => {
    const args = ['--web.telemetry-path', '/turn/metrics'];
    const { server } = await createTestServer({ arguments: args });
    expect((await server.inject('/turn/metrics')).statusCode).toBe(200);
    expect((await server.inject('/metrics')).statusCode).toBe(404);
    expect(/href="[^"]*turn\/metrics"/.test((await server.inject('/')).body)).toBe(true);
  });

  it('shows no users with --user.label none, but how many they are', async () => {
    const { server, scraped } = await createTestServer({ arguments: ['--user.label', 'none'] });
    scraped.begin(ALICE);
    const { body } = await server.inject('/metrics');
    expect(body).not.toContain('coturn_user_');
    expect(body).not.toContain('alice');
    expect(parseExposition(body).value('coturn_exporter_users')).toBe(1);
  });

  it.each(['identity', 'gzip'])(
    'answers 500 with %s when a metric cannot be read, and says why in the log',
    async (encoding) => {
      const registry = createRegistry();
      registerGauge(registry, {
        name: 'broken',
        help: 'Cannot be read.',
        labels: [],
        read: () => {
          throw new Error('secret reason');
        },
      });
      const { server, log } = await createTestServer({ registry });
      const headers = { 'accept-encoding': encoding };
      const reply = await server.inject({ url: '/metrics', headers });
      expect(reply.statusCode).toBe(500);
      expect(reply.body).not.toContain('secret reason');
      expect(log.join('')).toContain('secret reason');
    },
  );
});
