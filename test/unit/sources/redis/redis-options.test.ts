import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RedisSourceConfig } from '../../../../src/config/redis-url.ts';
import { redisOptions, retryDelayMs } from '../../../../src/sources/redis/redis-options.ts';

const SERVER: RedisSourceConfig = {
  name: 'redis',
  endpoint: { kind: 'server', address: { host: 'redis.example.org', port: 6390 } },
  db: 3,
  tls: false,
};
const SENTINELS = [
  { host: 'a.example.org', port: 26_379 },
  { host: 'b.example.org', port: 26_380 },
];

describe('retryDelayMs', () => {
  it.each([
    [1, 0, 50],
    [1, 1, 100],
    [2, 1, 200],
    [3, 0.5, 300],
    [4, 1, 800],
    [7, 1, 6_400],
    [8, 0, 5_000],
    [8, 1, 10_000],
    [9, 1, 10_000],
    [1_000_000, 1, 10_000],
    [Number.MAX_SAFE_INTEGER, 0, 5_000],
  ])('waits before attempt %i, with chance %f, %i ms', (attempt, random, delayMs) => {
    expect(retryDelayMs(attempt, random)).toBe(delayMs);
  });

  it('is a whole number from 50 ms to 10 s, and never shorter for a later attempt', () => {
    const attempts = fc.integer({ min: 1, max: 1_000 });
    const chance = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(attempts, chance, (attempt, random) => {
        const delayMs = retryDelayMs(attempt, random);
        expect(Number.isInteger(delayMs)).toBe(true);
        expect(delayMs).toBeGreaterThanOrEqual(50);
        expect(delayMs).toBeLessThanOrEqual(10_000);
        expect(retryDelayMs(attempt + 1, random)).toBeGreaterThanOrEqual(delayMs);
      }),
    );
  });
});

describe('redisOptions', () => {
  it('names the server and its database', () => {
    expect(redisOptions(SERVER, undefined)).toMatchObject({
      host: 'redis.example.org',
      port: 6390,
      db: 3,
    });
  });

  it('sends no user, password or TLS unless they are given', () => {
    const options = redisOptions(SERVER, undefined);
    for (const name of ['username', 'password', 'tls', 'sentinels', 'name']) {
      expect(options).not.toHaveProperty(name);
    }
  });

  it('sends user and password', () => {
    const config = { ...SERVER, username: 'exporter', password: 'p:@/#%' };
    expect(redisOptions(config, undefined)).toMatchObject({
      username: 'exporter',
      password: 'p:@/#%',
    });
  });

  it('uses the PEM files only where the URL asks for TLS', () => {
    const tls = { ca: 'CA', cert: 'CERT', key: 'KEY' };
    expect(redisOptions({ ...SERVER, tls: true }, tls).tls).toEqual(tls);
    expect(redisOptions({ ...SERVER, tls: true }, undefined).tls).toEqual({});
    expect(redisOptions(SERVER, tls)).not.toHaveProperty('tls');
  });

  it('asks Sentinels for the master, with TLS to them too', () => {
    const endpoint = { kind: 'sentinel', sentinels: SENTINELS, master: 'main' } as const;
    const plain = redisOptions({ ...SERVER, endpoint }, undefined);
    expect(plain).toMatchObject({ sentinels: SENTINELS, name: 'main', db: 3 });
    expect(plain).not.toHaveProperty('host');
    expect(plain).not.toHaveProperty('enableTLSForSentinelMode');
    expect(redisOptions({ ...SERVER, endpoint, tls: true }, undefined)).toMatchObject({
      enableTLSForSentinelMode: true,
    });
  });

  it('connects when told to, tries for ever and repeats nothing by itself', () => {
    const options = redisOptions(SERVER, undefined);
    expect(options).toMatchObject({
      lazyConnect: true,
      maxRetriesPerRequest: null,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
    });
    for (const attempt of [1, 10, 1_000_000]) {
      expect(options.retryStrategy?.(attempt)).toBeGreaterThanOrEqual(50);
      expect(options.sentinelRetryStrategy?.(attempt)).toBeGreaterThanOrEqual(50);
    }
  });
});
