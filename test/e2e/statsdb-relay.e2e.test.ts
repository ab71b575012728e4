import { writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { startExporter } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import { connectFrom } from '../support/source-address.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { runTurnClient } from '../support/turn-client.ts';
import { startTurnServer } from '../support/turn-server.ts';
import {
  describeExactRelay,
  type RelayCall,
  type RelayScene,
  relayCalls,
  SET_UP_MS,
} from './relay.suite.ts';

const REALM = 'example.org';
const PASSWORD = 'correct-horse';
/**
 * Who relays what on which server. The realm is one, and alice is on both: her allocations have the
 * same keys there, which on a Redis nobody could tell apart. No two sums are alike.
 */
const CALLS: readonly RelayCall[] = [
  {
    server: '127.0.0.1',
    username: 'alice',
    transport: 'udp',
    clients: 2,
    messages: 300,
    messageLength: 170,
  },
  {
    server: '127.0.0.1',
    username: 'bob',
    transport: 'tcp',
    clients: 2,
    messages: 250,
    messageLength: 120,
  },
  {
    server: '127.0.0.2',
    username: 'alice',
    transport: 'udp',
    clients: 4,
    messages: 110,
    messageLength: 99,
  },
  {
    server: '127.0.0.2',
    username: 'carol',
    transport: 'tcp',
    clients: 2,
    messages: 180,
    messageLength: 333,
  },
];

const cleanup = createCleanup();
let scene: RelayScene;

beforeAll(async () => {
  const { first: port } = await claimPorts(cleanup.defer);
  const exporter = await startExporter(cleanup.defer, {
    args: ['--statsdb.listen-address', `127.0.0.1:${port}`, '--server.name=127.0.0.1'],
  });
  const elsewhere = await connectFrom(cleanup.defer, { address: '127.0.0.2', port });
  const servers = [
    { realm: REALM, address: '127.0.0.1', statsdb: { port, database: 0 } },
    { realm: REALM, address: '127.0.0.2', statsdb: { port: elsewhere.port, database: 7 } },
  ];
  scene = await relayCalls(cleanup.defer, { exporter, servers, calls: CALLS });
}, SET_UP_MS);

afterAll(() => cleanup.run());

describe('the exporter as the statsdb of two real turnservers', () => {
  describeExactRelay(() => scene, CALLS);
});

describe('a turnserver that connects over IPv6', () => {
  it.skipIf(!hasIpv6())(
    'has keys of its own beside one that connects over IPv4, and a name where it is given one',
    async () => {
      const { first: port } = await claimPorts(onTestFinished);
      const names = join(createTempFolder(onTestFinished), 'names');
      writeFileSync(names, '127.0.0.1 four\n::1 six\n');
      const own = await startExporter(onTestFinished, {
        args: [
          ...['--statsdb.listen-address', `127.0.0.1:${port}`],
          ...['--statsdb.listen-address', `[::1]:${port}`],
          ...['--server.names-file', names],
        ],
      });
      const calls = [
        { address: '127.0.0.1', name: 'four', messages: 40, messageLength: 100 },
        { address: '::1', name: 'six', messages: 30, messageLength: 200 },
      ];
      for (const { address, messages, messageLength } of calls) {
        const server = await startTurnServer(onTestFinished, {
          realm: REALM,
          users: { bob: PASSWORD },
          statsdb: { address, port, database: 0 },
        });
        const account = { server, username: 'bob', password: PASSWORD, transport: 'tcp' } as const;
        await runTurnClient(onTestFinished, { ...account, messages, messageLength });
      }
      const metrics = await own.untilMetrics(
        (seen) => seen.sum('coturn_allocations') === 0 && seen.sum('coturn_sessions') === 0,
        { what: 'both calls to end' },
      );
      for (const { name, messages, messageLength } of calls) {
        expect(metrics.value('coturn_peer_received_bytes_total', { server: name })).toBe(
          2 * messages * messageLength,
        );
      }
      expect(metrics.sum('coturn_exporter_allocation_collisions_total')).toBe(0);
    },
    30_000,
  );
});

function hasIpv6(): boolean {
  return Object.values(networkInterfaces())
    .flat()
    .some((each) => each?.address === '::1');
}
