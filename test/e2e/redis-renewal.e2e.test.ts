import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { CertificateAuthority, type CertificateFiles } from '../support/certificates.ts';
import { launchExporter, startExporter } from '../support/exporter-process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startSentinel } from '../support/redis-setups.ts';
import { connectStatsPublisher } from '../support/stats-publisher.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

/**
 * Everything that lets the exporter into a Redis is renewed, one after the other: the authority of
 * its certificate, the client certificate with its key, the password. Each time the connection is
 * cut, and the log has one line about the cause until the file is renewed as well.
 */
it('reads authority, client certificate and password anew on every connection', async () => {
  const folder = createTempFolder(onTestFinished);
  const [old, fresh] = ['old', 'fresh'].map((name) => new CertificateAuthority(folder, name));
  if (old === undefined || fresh === undefined) throw new Error('No authority');
  const files = {
    ca: join(folder, 'used-ca.pem'),
    cert: join(folder, 'used-cert.pem'),
    key: join(folder, 'used-key.pem'),
    password: join(folder, 'used-password'),
  };
  const use = ({ cert, key }: CertificateFiles): void => {
    copyFileSync(cert, files.cert);
    copyFileSync(key, files.key);
  };
  copyFileSync(old.cert, files.ca);
  use(old.issue());
  writeFileSync(files.password, 'first-4471\n');
  const redis = await startRedisServer(onTestFinished, {
    password: 'first-4471',
    tls: { ...old.issue(), authority: old.cert },
  });
  const admin = new Redis({ port: redis.port, password: 'first-4471' });
  onTestFinished(() => admin.disconnect());
  const exporter = await startExporter(onTestFinished, {
    args: [
      ...['--redis.url', `rediss://localhost:${redis.tlsPort}#main`],
      ...['--redis.password-file', files.password, '--redis.tls-ca-file', files.ca],
      ...['--redis.tls-cert-file', files.cert, '--redis.tls-key-file', files.key],
    ],
  });
  const publisher = connectStatsPublisher(onTestFinished, {
    ...{ port: redis.port, database: 0, password: 'first-4471' },
  });
  const allocation = { realm: 'r', username: 'bob', id: '001000000000000001' };
  await publisher.begin(allocation);

  const readiness = async (): Promise<string> => (await exporter.get('/readyz')).body;
  const becomes = (text: RegExp): Promise<string> =>
    until(readiness, {
      what: `it to be ${text}`,
      isDone: (body) => text.test(body),
      show: (body) => `${body}\n${exporter.process.describe()}`,
    });
  const reasons = (): string[] =>
    exporter.log.filter(({ level }) => level === 'warn').map(({ reason }) => String(reason));
  /** Cuts the exporter off; what it says then until it is mended and lets it in again. */
  const cutOff = async (why: RegExp, mend: () => void): Promise<void> => {
    const told = reasons().length;
    await admin.client('KILL', 'TYPE', 'pubsub');
    await becomes(why);
    mend();
    await becomes(/^ready: main: subscribed/);
    expect(
      reasons()
        .slice(told)
        .filter((reason) => why.test(reason)),
    ).toHaveLength(1);
  };

  const server = fresh.issue();
  // Both authorities for now, so that the client certificate is still trusted.
  const both = join(folder, 'both.pem');
  writeFileSync(both, [old, fresh].map(({ cert }) => readFileSync(cert, 'utf8')).join(''));
  await admin.call('CONFIG', 'SET', ...['tls-ca-cert-file', both]);
  await admin.call('CONFIG', 'SET', 'tls-cert-file', server.cert, 'tls-key-file', server.key);
  await cutOff(/its certificate is not trusted/, () => copyFileSync(fresh.cert, files.ca));

  await admin.call('CONFIG', 'SET', 'tls-ca-cert-file', fresh.cert);
  await cutOff(/does not trust our client certificate/, () => use(fresh.issue()));

  await admin.config('SET', 'requirepass', 'second-9036');
  await cutOff(/user or password is wrong/, () => writeFileSync(files.password, 'second-9036\n'));

  await publisher.relay(allocation, 5_000);
  await publisher.end(allocation);
  const [record] = await exporter.untilRecords(1);
  expect(record).toMatchObject({ username: 'bob', received_bytes: 5_000, reason: 'deleted' });
  await exporter.stop();
  const output = [...exporter.process.stdout, ...exporter.process.stderr].join('\n');
  expect(output).not.toMatch(/first-4471|second-9036|PRIVATE KEY/);
}, 180_000);

it('asks Sentinels with another password once it stands in the file', async () => {
  const file = join(createTempFolder(onTestFinished), 'password');
  writeFileSync(file, 'outdated-1\n');
  const redis = await startRedisServer(onTestFinished);
  const sentinel = await startSentinel(onTestFinished, {
    ...{ master: 'main', masterPort: redis.port },
    lines: ['user watcher on >renewed-2 +sentinel|get-master-addr-by-name', 'user default off'],
  });
  const exporter = launchExporter(onTestFinished, {
    args: [
      ...['--redis.url', `redis+sentinel://127.0.0.1:${sentinel.port}/main#main`],
      ...['--redis.sentinel-user', 'watcher', '--redis.sentinel-password-file', file],
    ],
  });
  await exporter.listening();
  const why = /^no Sentinel tells where master main is: user or password is wrong: WRONGPASS/;
  const told = (): string[] =>
    exporter.log.filter(({ level }) => level === 'warn').map(({ reason }) => String(reason));
  await until(told, { what: 'the reason', isDone: (reasons) => reasons.length > 0 });
  expect((await exporter.get('/readyz')).status).toBe(503);
  writeFileSync(file, 'renewed-2\n');
  await exporter.ready();
  expect(told()).toEqual([expect.stringMatching(why)]);

  const publisher = connectStatsPublisher(onTestFinished, { port: redis.port, database: 0 });
  const allocation = { realm: 'r', username: 'bob', id: '001000000000000001' };
  await publisher.begin(allocation);
  await publisher.relay(allocation, 5_000);
  await publisher.end(allocation);
  const [record] = await exporter.untilRecords(1);
  expect(record).toMatchObject({ username: 'bob', received_bytes: 5_000, complete: true });
  expect(exporter.process.stderr.join('\n')).not.toMatch(/outdated-1|renewed-2/);
});
