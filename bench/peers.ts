import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Redis } from 'ioredis';
import { Counter, Gauge, Registry } from 'prom-client';

/** Whom the exporter is measured against, each in a process of its own. */
const PEERS: Readonly<Record<string, (port: number) => Promise<void>>> = {
  /** A bare subscriber that counts messages and does nothing else. */
  async count(port) {
    const redis = new Redis({ host: '127.0.0.1', port });
    let received = 0;
    redis.on('pmessage', () => {
      received += 1;
    });
    process.on('exit', () => console.info(received));
    await redis.psubscribe('turn/realm/*', 'turn/user/*');
  },

  /** What reads a socket and finds the ends of lines, and acknowledges each message. */
  async lines(port) {
    const server = createServer((socket) => {
      let lines = 0;
      socket.on('data', (bytes) => {
        const before = lines;
        for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines += 1;
        // A message has seven lines.
        const messages = Math.floor(lines / 7) - Math.floor(before / 7);
        if (messages > 0) socket.write(':0\r\n'.repeat(messages));
      });
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  },

  /** An exporter on ioredis and prom-client, as one would write it in an afternoon. */
  async afternoon(port) {
    const register = new Registry();
    const labelNames = ['realm', 'user'];
    const gauge = (name: string): Gauge =>
      new Gauge({ name, help: name, labelNames, registers: [register] });
    const sessions = gauge('turn_sessions');
    const allocations = gauge('turn_allocations');
    const started = gauge('turn_started');
    const received = gauge('turn_received_bytes');
    const sent = gauge('turn_sent_bytes');
    const total = new Counter({
      name: 'turn_bytes_total',
      help: 'turn_bytes_total',
      labelNames: ['realm'],
      registers: [register],
    });
    const redis = new Redis({ host: '127.0.0.1', port });
    redis.on('pmessage', (_pattern, channel: string, message: string) => {
      const [, realm = '', username = '', , topic] =
        /^turn\/realm\/(.*)\/user\/(.*)\/allocation\/(\d+)\/(.*)$/.exec(channel) ?? [];
      const labels = { realm, user: username.split(':').at(-1) ?? '' };
      if (topic === 'status' && message.startsWith('new')) {
        sessions.inc(labels);
        allocations.inc(labels);
        started.set(labels, Date.now() / 1000);
      } else if (topic === 'traffic') {
        const numbers = Object.fromEntries(message.split(', ').map((pair) => pair.split('=')));
        received.inc(labels, Number(numbers['rcvb']));
        sent.inc(labels, Number(numbers['sentb']));
        total.inc({ realm }, Number(numbers['rcvb']) + Number(numbers['sentb']));
      }
    });
    await redis.psubscribe('turn/realm/*', 'turn/user/*');
    const server = createHttpServer(async (request, response) => {
      const text = await register.metrics();
      if (request.headers['accept-encoding'] !== 'gzip') return response.end(text);
      response.setHeader('content-encoding', 'gzip');
      return response.end(await promisify(gzip)(text));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    console.info(JSON.stringify({ address: `http://127.0.0.1:${Object(server.address()).port}` }));
  },
};

const [name = '', port] = process.argv.slice(2);
await PEERS[name]?.(Number(port));
console.info('ready');
