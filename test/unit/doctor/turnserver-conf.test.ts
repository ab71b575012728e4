import { describe, expect, it } from 'vitest';
import { parseTurnserverConf } from '../../../src/doctor/turnserver-conf.ts';

const NOTHING_SAID = {
  lineNumber: 1,
  address: { host: '127.0.0.1', port: 6379 },
  db: 0,
  tls: false,
  unknown: [],
};

describe('parseTurnserverConf', () => {
  it.each([
    { line: 'redis-statsdb="ip=10.0.0.5 dbname=3 password=secret port=6380"' },
    { line: "  redis-statsdb='host=10.0.0.5 db=3 pwd=secret p=6380'  " },
    { line: 'redis-statsdb=addr=10.0.0.5 database=3 passwd=secret port=6380' },
    { line: 'redis-statsdb "hostaddr=10.0.0.5  db=3  secret=secret port=6380 timeout=30"' },
    { line: 'redis-statsdb="ip=10.0.0.5 db=3 password=secret port=6380" # of the exporter' },
  ])('reads $line', ({ line }) => {
    expect(parseTurnserverConf(line)).toEqual([
      {
        ...NOTHING_SAID,
        address: { host: '10.0.0.5', port: 6380 },
        db: 3,
        password: 'secret',
      },
    ]);
  });

  it.each([
    { line: 'redis-statsdb=""' },
    { line: 'redis-statsdb="ip=127.0.0.1 port=abc"' },
    { line: 'redis-statsdb="password= dbname=x"' },
  ])("falls back to coturn's own defaults in $line", ({ line }) => {
    expect(parseTurnserverConf(line)).toEqual([NOTHING_SAID]);
  });

  it('names the words that coturn does not know, without their values', () => {
    const [setting] = parseTurnserverConf('redis-statsdb="ip=::1 passwort=hush nonsense tls=true"');
    expect(setting).toMatchObject({ unknown: ['passwort', 'nonsense'], tls: true });
    expect(JSON.stringify(setting)).not.toContain('hush');
  });

  it('finds every line in its order, and none that is a comment or another setting', () => {
    const text = `# redis-statsdb="ip=1.1.1.1"
redis-userdb="ip=2.2.2.2"
redis-statsdb="ip=3.3.3.3"\r
realm=example.org
redis-statsdb-tls=x
redis-statsdb="ip=4.4.4.4"`;
    const found = parseTurnserverConf(text).map(({ lineNumber, address }) => [
      lineNumber,
      address.host,
    ]);
    expect(found).toEqual([
      [3, '3.3.3.3'],
      [6, '4.4.4.4'],
    ]);
  });
});
