import compress from '@fastify/compress';
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import type { Logger } from 'pino';
import { addHealthRoutes, type HealthRoutesOptions } from './health-routes.ts';
import { addLandingPage, type LandingPageOptions } from './landing/page.ts';
import { addMetricsRoute, type MetricsRouteOptions } from './metrics-route.ts';

/** All that the server shows. */
export interface ServerOptions {
  readonly metrics: MetricsRouteOptions;
  readonly health: HealthRoutesOptions;
  readonly landingPage: LandingPageOptions;
  readonly log: Logger;
}

/** What a client may send in one request; there is nothing to send but headers. */
const BODY_LIMIT_BYTES = 1024;
const REQUEST_TIMEOUT_MS = 30_000;

/** The HTTP server with all its routes, not listening yet. Only GET and HEAD are answered. */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const server = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    frameworkErrors: (_error, _request, reply) => sendPlain(reply, 400, 'bad request'),
  });
  // Nothing is taken, so bodies are not read, whatever they are.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _body, done) => done(null));
  // zlib compresses on its own threads, so a large scrape does not hold up events.
  await server.register(compress, {
    encodings: ['gzip', 'identity'],
    customTypes: /^(text\/|application\/openmetrics-text)/,
  });
  addMetricsRoute(server, options.metrics);
  addHealthRoutes(server, options.health);
  addLandingPage(server, options.landingPage);
  addRefusals(server, options.log);
  return server;
}

function addRefusals(server: FastifyInstance, log: Logger): void {
  server.setNotFoundHandler((request, reply) => {
    if (request.method === 'GET' || request.method === 'HEAD') {
      return sendPlain(reply, 404, 'not found');
    }
    return sendPlain(reply.header('allow', 'GET, HEAD'), 405, 'method not allowed');
  });
  server.setErrorHandler((error: { statusCode?: number }, request, reply) => {
    const code = error.statusCode ?? 500;
    if (code >= 500) log.error({ err: error, path: request.url }, 'a request failed');
    return sendPlain(reply, code, code >= 500 ? 'internal error' : 'bad request');
  });
}

function sendPlain(reply: FastifyReply, code: number, text: string): FastifyReply {
  return reply.code(code).type('text/plain; charset=utf-8').send(`${text}\n`);
}
