import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type CommandLine, parseCommandLine } from '../../../src/config/command-line.ts';
import { type Config, listSecrets } from '../../../src/config/config.ts';
import { ConfigError } from '../../../src/config/config-error.ts';
import { OPTIONS, renderFlagTable, renderHelp } from '../../../src/config/options.ts';
import { CertificateAuthority } from '../../support/certificates.ts';
import { createCleanup } from '../../support/cleanup.ts';
import { createTempFolder } from '../../support/temp-folder.ts';

const cleanup = createCleanup();
afterAll(() => cleanup.run());
const authority = new CertificateAuthority(createTempFolder(cleanup.defer), 'ca');
const certificate = authority.issue();
const key = readFileSync(certificate.key, 'utf8');

const ofRsa = authority.issue({ keyType: 'rsa' });

const FILES: ReadonlyMap<string, string> = new Map([
  ['/pw', 's3cret-f\n'],
  ['/crlf', ' s3cret-f \r\n'],
  ['/empty', ''],
  ['/blank', '\n'],
  ['/two', 's3cret-f\ns3cret-g\n'],
  ['/servers', '# Frankfurt\n\nfra-1:s3cret:h\r\n\t# and\nfra-2:s3cret i\n'],
  ['/names', '192.0.2.7 fra-1\n[2001:DB8:0::7]:3478\tfra-1\n192.0.2.8:3478 fra-2'],
  ['/ca', readFileSync(authority.cert, 'utf8')],
  ['/cert', readFileSync(certificate.cert, 'utf8')],
  ['/key', key],
  ['/rsa-key', readFileSync(ofRsa.key, 'utf8')],
]);

function readFile(path: string): string {
  const text = FILES.get(path);
  if (text === undefined) {
    throw Object.assign(new Error(`no such file\n${path}`), { code: 'ENOENT' });
  }
  return text;
}

function parse(argv: readonly string[], env: Record<string, string> = {}): CommandLine {
  return parseCommandLine(argv, env, { readFile });
}

function configOf(argv: readonly string[], env: Record<string, string> = {}): Config {
  const result = parse(argv, env);
  if (result.kind !== 'run') {
    throw new Error(`Got ${result.kind}`);
  }
  return result.config;
}

describe('parseCommandLine', () => {
  it('has defaults for everything', () => {
    expect(parse([])).toEqual({
      kind: 'run',
      config: {
        redis: { sources: [], access: {}, secrets: [], resyncIntervalMs: 60_000 },
        statsdb: { listen: [{ host: '127.0.0.1', port: 6380 }] },
        web: {
          listen: { host: '0.0.0.0', port: 10_641 },
          telemetryPath: '/metrics',
          maxRequests: 40,
          probesUnauthenticated: false,
        },
        servers: { names: new Map(), forgetAfterMs: 86_400_000 },
        session: { groupBy: 'user', lingerMs: 5_000 },
        users: { label: 'userid', restSeparator: ':', maxSeries: 10_000 },
        realms: { maxSeries: 1_000 },
        records: { client: 'address' },
        state: { intervalMs: 10_000 },
        shard: { index: 0, total: 1 },
        log: { level: 'info' },
      },
    });
  });

  it('switches the embedded statsdb off when a Redis is given', () => {
    expect(configOf(['--redis.url=redis://h']).statsdb.listen).toEqual([]);
  });

  it('takes both kinds of source together', () => {
    const config = configOf(['--redis.url=redis://h', '--statsdb.listen-address=:6380']);
    expect(config.redis.sources).toHaveLength(1);
    expect(config.statsdb.listen).toEqual([{ host: '', port: 6380 }]);
  });

  it('takes every flag', () => {
    const argv = [
      '--redis.url=rediss://u:s3cret@a/1#eu',
      '--redis.url=redis+sentinel://b,c:1/m',
      '--redis.password-file=/pw',
      '--redis.sentinel-user=watcher',
      '--redis.sentinel-password-file=/crlf',
      '--redis.tls-ca-file=/ca',
      '--redis.tls-cert-file=/cert',
      '--redis.tls-key-file=/key',
      '--redis.resync-interval=10s',
      '--statsdb.listen-address=:0',
      '--statsdb.listen-address=:0',
      '--statsdb.password-file=/crlf',
      '--statsdb.servers-file=/servers',
      '--server.name=here',
      '--server.names-file=/names',
      '--server.forget-after=48h',
      '--web.listen-address=[::1]:0',
      '--web.telemetry-path=/turn/m',
      '--session.group-by=client',
      '--session.linger=0s',
      '--session.relayed-min-bytes=4096',
      '--user.label=none',
      '--user.rest-separator=|',
      '--user.max-series=1',
      '--realm.max-series=2',
      '--records.file=/var/r.jsonl',
      '--records.replica=a',
      '--log.level=silent',
      '--log.format=pretty',
      '--check-config',
    ];
    const result = parse(argv);
    expect(result).toMatchObject({
      kind: 'check-config',
      config: {
        redis: {
          sources: [{ name: 'eu', password: 's3cret' }, { name: 'b:26379/m/0' }],
          resyncIntervalMs: 10_000,
          access: {
            passwordFile: '/pw',
            sentinelUser: 'watcher',
            sentinelPasswordFile: '/crlf',
            caFile: '/ca',
            certFile: '/cert',
            keyFile: '/key',
          },
        },
        statsdb: {
          listen: [
            { host: '', port: 0 },
            { host: '', port: 0 },
          ],
          password: ' s3cret-f ',
          servers: [
            { name: 'fra-1', password: 's3cret:h' },
            { name: 'fra-2', password: 's3cret i' },
          ],
          serversFile: '/servers',
        },
        servers: {
          name: 'here',
          names: new Map([
            ['192.0.2.7', 'fra-1'],
            ['[2001:db8::7]:3478', 'fra-1'],
            ['192.0.2.8:3478', 'fra-2'],
          ]),
          forgetAfterMs: 172_800_000,
        },
        web: { listen: { host: '::1', port: 0 }, telemetryPath: '/turn/m' },
        session: { groupBy: 'client', lingerMs: 0, relayedMinBytes: 4096 },
        users: { label: 'none', restSeparator: '|', maxSeries: 1 },
        realms: { maxSeries: 2 },
        records: { file: '/var/r.jsonl', client: 'address', replica: 'a' },
        log: { level: 'silent', format: 'pretty' },
      },
    });
    const secrets = result.kind === 'check-config' ? listSecrets(result.config) : [];
    expect(secrets).toEqual([
      's3cret-f',
      ' s3cret-f ',
      key,
      's3cret',
      ' s3cret-f ',
      's3cret:h',
      's3cret i',
    ]);
  });

  it.each(['redis://a redis://b', 'redis://a,redis://b', ' redis://a , REDIS://b '])(
    'reads several Redis URLs from the environment: %j',
    (text) => {
      const { sources } = configOf([], { COTURN_EXPORTER_REDIS_URL: text }).redis;
      expect(sources.map(({ name }) => name)).toEqual(['a:6379/0', 'b:6379/0']);
    },
  );

  it('keeps the commas between Sentinels in the environment', () => {
    const text = 'redis+sentinel://a,b/m,rediss+sentinel://c,d/m';
    const { sources } = configOf([], { COTURN_EXPORTER_REDIS_URL: text }).redis;
    expect(sources.map(({ name }) => name)).toEqual(['a:26379/m/0', 'c:26379/m/0']);
  });

  it.each(['-', 'stdout'])('takes %j as standard output', (text) => {
    expect(configOf([`--records.file=${text}`]).records.file).toBeUndefined();
    expect(configOf(['--records.file', text]).records.file).toBeUndefined();
  });

  it('gives user in URL the password from the file', () => {
    const config = configOf(['--redis.url=redis://ann@h', '--redis.password-file=/pw']);
    expect(config.redis.sources[0]).toMatchObject({ username: 'ann' });
    expect(config.redis.access.passwordFile).toBe('/pw');
    expect(config.redis.secrets).toEqual(['s3cret-f']);
  });

  it('reads files from disk unless told otherwise', () => {
    const path = '/no-such-directory/password';
    expect(() => parseCommandLine(['--statsdb.password-file', path], {})).toThrow(
      `Cannot read --statsdb.password-file "${path}": expected a file that can be read (ENOENT)`,
    );
  });

  it.each<[string[], Record<string, string>]>([
    [['--version'], {}],
    [['--bogus', '--version'], { COTURN_EXPORTER_BOGUS: '1' }],
    [[], { COTURN_EXPORTER_VERSION: 'true' }],
  ])('tells the version for %j', (argv, env) => {
    expect(parse(argv, env)).toEqual({ kind: 'version' });
  });

  it.each<[string[], Record<string, string>]>([
    [['--help'], {}],
    [['--version', '--bogus', '--help'], { COTURN_EXPORTER_BOGUS: '1' }],
    [[], { COTURN_EXPORTER_HELP: 'true' }],
  ])('helps for %j', (argv, env) => {
    expect(parse(argv, env)).toEqual({ kind: 'help', text: renderHelp() });
  });
});

const RS = 'rediss://h';

describe('ConfigError', () => {
  it.each<[string[], string]>([
    [
      ['--session.linger', '5'],
      'Cannot parse --session.linger "5": expected a duration such as 500ms, 5s, 2m or 1h',
    ],
    [
      ['--session.linger', '2h'],
      'Cannot parse --session.linger "2h": expected a duration from 0s to 1h',
    ],
    [['--sesion.linger=5s'], 'Unknown flag "--sesion.linger": did you mean --session.linger?'],
    [
      ['--redis.resync-interval=0s'],
      'Cannot parse --redis.resync-interval "0s": expected a duration from 1s to 24h',
    ],
    [
      ['--redis.url=redis://u:s3cret@h/x'],
      'Cannot parse --redis.url "redis://***@h/x": expected database numbers from 0 to 2147483647, each once, at the end of the path',
    ],
    [
      ['--redis.url=redis://u:s3cret'],
      'Cannot parse --redis.url "redis://u:***": expected a port that is a whole number from 1 to 65535',
    ],
    [
      ['--redis.url=redis://u:s3%cret@h'],
      'Cannot parse --redis.url "redis://***@h": expected a user and password in percent-encoding (% is written %25, / %2F, # %23, @ %40)',
    ],
    [
      ['--redis.url=redis://u@h'],
      'Cannot use --redis.url of source "h:6379/0": expected a password with its user, in the URL or by --redis.password-file',
    ],
    [
      ['--redis.url=redis://a:s3cret@h', '--redis.url=rediss://H:6379/0'],
      'Cannot use two --redis.url named "h:6379/0": expected different #names at their ends',
    ],
    [
      ['--redis.url=redis://a/0#one', '--redis.url=rediss://:s3cret@A/1#two'],
      'Cannot use two --redis.url of one Redis, "one" and "two": expected one, with its databases as in redis://host/0,1',
    ],
    [
      ['--redis.url=redis://localhost#one', '--redis.url=redis://127.0.0.1#two'],
      'Cannot use two --redis.url of one Redis, "one" and "two": expected one, with its databases as in redis://host/0,1',
    ],
    [
      ['--redis.url=redis+sentinel://a,b/m#one', '--redis.url=redis+sentinel://b,c/m/1#two'],
      'Cannot use two --redis.url of one Redis, "one" and "two": expected one, with its databases as in redis://host/0,1',
    ],
    [
      ['--redis.url=redis://h', '--redis.sentinel-password-file=/pw'],
      'Cannot use --redis.sentinel-password-file: expected a --redis.url with Sentinels',
    ],
    [
      ['--redis.url=redis+sentinel://h/m', '--redis.sentinel-user=x'],
      'Cannot use --redis.sentinel-user: expected --redis.sentinel-password-file with it',
    ],
    [
      ['--shard.total=3'],
      'Cannot use --shard.total with the embedded statsdb: expected --redis.url without --statsdb.listen-address, since coturn tells its events to one exporter only',
    ],
    [
      ['--redis.password-file=/pw'],
      'Cannot use --redis.password-file: expected a --redis.url without a password',
    ],
    [
      ['--redis.url=redis://:s3cret@h', '--redis.password-file=/pw'],
      'Cannot use --redis.password-file: expected a --redis.url without a password',
    ],
    [
      ['--redis.url=redis://h', '--redis.password-file=/nope'],
      'Cannot read --redis.password-file "/nope": expected a file that can be read (ENOENT)',
    ],
    [
      ['--redis.url=redis://h', '--redis.password-file=/empty'],
      'Cannot use --redis.password-file "/empty": expected a file that is not empty',
    ],
    [
      ['--statsdb.password-file=/blank'],
      'Cannot use --statsdb.password-file "/blank": expected a file that is not empty',
    ],
    [
      ['--statsdb.password-file=/two'],
      'Cannot use --statsdb.password-file "/two": expected a password on a single line',
    ],
    [
      ['--statsdb.password-file=/pw', '--redis.url=redis://h'],
      'Cannot use --statsdb.password-file: expected --statsdb.listen-address with it',
    ],
    [
      ['--statsdb.servers-file=/servers', '--redis.url=redis://h'],
      'Cannot use --statsdb.servers-file: expected --statsdb.listen-address with it',
    ],
    [
      ['--server.name=a b'],
      'Cannot parse --server.name "a b": expected a name of up to 64 letters, digits, dots, dashes and underscores',
    ],
    [
      ['--statsdb.listen-address=:1', '--statsdb.listen-address=:1'],
      'Repeated --statsdb.listen-address ":1": expected each address once',
    ],
    [
      ['--statsdb.listen-address=6380'],
      'Cannot parse --statsdb.listen-address "6380": expected an address to listen on such as 127.0.0.1:6380, [::1]:6380 or :6380',
    ],
    [
      ['--redis.url=redis://h', '--redis.tls-ca-file=/ca'],
      'Cannot use --redis.tls-ca-file: expected a --redis.url that starts with rediss',
    ],
    [
      [`--redis.url=${RS}`, '--redis.tls-key-file=/key'],
      'Cannot use --redis.tls-key-file: expected --redis.tls-cert-file with it',
    ],
    [
      [`--redis.url=${RS}`, '--redis.tls-cert-file=/cert'],
      'Cannot use --redis.tls-cert-file: expected --redis.tls-key-file with it',
    ],
    [
      [`--redis.url=${RS}`, '--redis.tls-ca-file=/a\nb'],
      'Cannot read --redis.tls-ca-file "/a\\nb": expected a file that can be read (ENOENT)',
    ],
    [
      ['--statsdb.tls-key-file=/key'],
      'Cannot use --statsdb.tls-key-file: expected --statsdb.tls-cert-file with it',
    ],
    [
      ['--statsdb.tls-client-ca-file=/ca'],
      'Cannot use --statsdb.tls-client-ca-file: expected --statsdb.tls-cert-file with it',
    ],
    [
      ['--statsdb.tls-cert-file=/cert'],
      'Cannot use --statsdb.tls-cert-file: expected --statsdb.tls-key-file with it',
    ],
    [
      [`--redis.url=${RS}`, '--statsdb.tls-cert-file=/pw', '--statsdb.tls-key-file=/key'],
      'Cannot use --statsdb.tls-cert-file "/pw": expected a PEM certificate, and its key in --statsdb.tls-key-file (ERR_OSSL_PEM_NO_START_LINE)',
    ],
    [
      // OpenSSL itself takes a pair of two kinds.
      ['--statsdb.tls-cert-file=/cert', '--statsdb.tls-key-file=/rsa-key'],
      'Cannot use --statsdb.tls-cert-file "/cert": expected a PEM certificate, and its key in --statsdb.tls-key-file (ERR_OSSL_X509_KEY_VALUES_MISMATCH)',
    ],
    [
      ['--web.telemetry-path=metrics'],
      'Cannot parse --web.telemetry-path "metrics": expected a path such as /metrics, other than /livez, /readyz, /healthz, /drain',
    ],
    ...['/', '//', '/a/', '/livez', '/:id', '/*', '/a?b', '/a/../b', '/.', '/%2e'].map(
      (path): [string[], string] => [
        [`--web.telemetry-path=${path}`],
        `Cannot parse --web.telemetry-path "${path}": expected a path such as /metrics, other than /livez, /readyz, /healthz, /drain`,
      ],
    ),
    ...['', '::', '1', ' ', 'é', '\t'].map((text): [string[], string] => [
      [`--user.rest-separator=${text}`],
      `Cannot parse --user.rest-separator ${JSON.stringify(text)}: expected one visible ASCII character that is no digit`,
    ]),
    [
      ['--user.label=name'],
      'Cannot parse --user.label "name": expected one of userid, raw, hash, none',
    ],
    [['--user.label=hash'], 'Cannot use --user.label=hash: expected --user.hash-key-file with it'],
    [
      ['--user.hash-key-file=/key'],
      'Cannot use --user.hash-key-file: expected --user.label=hash with it',
    ],
    [['--user.pattern='], 'Cannot parse --user.pattern "": expected a regular expression'],
    [
      ['--user.max-series=0'],
      'Cannot parse --user.max-series "0": expected a whole number from 1 to 10000000',
    ],
    [
      ['--log.level=verbose'],
      'Cannot parse --log.level "verbose": expected one of trace, debug, info, warn, error, fatal, silent',
    ],
    [['--'.padEnd(99, 'x')], `Unknown flag "${'--'.padEnd(99, 'x')}": see --help`],
    [['simulat'], 'Unexpected argument "simulat": expected flags, see --help'],
  ])('is what %j gets', (argv, message) => {
    expect(() => parse(argv)).toThrow(new ConfigError(message));
    expect(message).not.toMatch(/s3cret|\n/);
  });

  it('names the variable when the value came from there', () => {
    const env = { COTURN_EXPORTER_REDIS_URL: 'redis://:s3cret@a, redis://:s3cret@b/x' };
    expect(() => parse([], env)).toThrow(
      'Cannot parse COTURN_EXPORTER_REDIS_URL "redis://***@b/x": expected database numbers',
    );
  });

  it('is all that is ever thrown, on one line, without a password', () => {
    const flag = fc.constantFrom(...Object.keys(OPTIONS).map((name) => `--${name}`));
    const url = fc
      .tuple(
        fc.constantFrom(
          'redis://',
          'rediss://',
          'redis+sentinel://',
          'redis:',
          '',
          'x://',
          ' redis://',
        ),
        fc.constantFrom('ann:', ':', ''),
        fc.constantFrom('', '@', '/', '#', '?', '%', ':', ' ', ','),
        fc.constantFrom('@h', '@h:x', '@h/x', '@', '@h#', '@h/0?x', '@@h:1'),
      )
      .map(([scheme, user, odd, rest]) => `${scheme}${user}${odd}s3cret${odd}${rest}`);
    const value = fc.oneof(
      url,
      fc.string({ unit: 'binary' }),
      fc.constantFrom(...FILES.keys(), '5s', '1', ':0'),
    );
    const argument = fc.oneof(
      flag,
      value,
      fc.tuple(flag, value).map((pair) => pair.join('=')),
    );
    fc.assert(
      fc.property(fc.array(argument, { maxLength: 6 }), url, (argv, inEnvironment) => {
        for (const env of [{}, { COTURN_EXPORTER_REDIS_URL: inEnvironment }]) {
          try {
            parse(
              argv.filter((each) => !each.startsWith(' ') && !each.startsWith('ann:')),
              env,
            );
          } catch (error) {
            expect(error).toBeInstanceOf(ConfigError);
            expect(String(error)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
          }
        }
        for (const argv of [['--redis.url', inEnvironment], [`--redis.url=${inEnvironment}`]]) {
          try {
            parse(argv);
          } catch (error) {
            expect(error).toBeInstanceOf(ConfigError);
            expect(String(error)).not.toContain('s3cret');
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('renderHelp', () => {
  it('names every flag, in lines of at most 80 columns', () => {
    const text = renderHelp([
      { name: 'demo', help: 'Exporter and simulated fleet in one process.' },
    ]);
    for (const name of Object.keys(OPTIONS)) {
      expect(text).toContain(`\n  --${name}`);
    }
    expect(text).toContain('\n  demo  Exporter');
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('shows nothing of what was given', () => {
    const result = parse(['--redis.url=redis://u:s3cret@h', '--help']);
    expect(JSON.stringify(result)).not.toContain('s3cret');
  });
});

describe('renderFlagTable', () => {
  it('has one row per flag', () => {
    const rows = renderFlagTable().trimEnd().split('\n').slice(2);
    expect(rows.map((row) => /^\| `--([\w.-]+)/.exec(row)?.[1])).toEqual(Object.keys(OPTIONS));
  });
});

describe('--statsdb.servers-file and --server.names-file', () => {
  const NAME = 'a name of up to 64 letters, digits, dots, dashes and underscores';
  const ADDRESS = 'an IP address such as 192.0.2.7, 192.0.2.7:3478 or [2001:db8::7]:3478';

  it.each([
    ['statsdb.servers-file', '# nobody\n\n', 'expected a line NAME:PASSWORD'],
    ['statsdb.servers-file', '', 'expected a file that is not empty'],
    ['statsdb.servers-file', '\n# a\ns3cret\n', 'line 3: expected NAME:PASSWORD'],
    ['statsdb.servers-file', 'a b:s3cret', `line 1: expected ${NAME} before the colon`],
    ['statsdb.servers-file', ':s3cret', `line 1: expected ${NAME} before the colon`],
    ['statsdb.servers-file', 'a:', 'line 1: expected a password for a'],
    ['statsdb.servers-file', 'a:s3cret\nb:x\na:y', 'line 3: expected a once'],
    ['statsdb.servers-file', 'a:s3cret\nb:s3cret', 'line 2: expected a password of its own for b'],
    ['statsdb.servers-file', 'a:s3cret-f', 'line 1: expected a password of its own for a'],
    ['server.names-file', '#', 'expected a line ADDRESS NAME'],
    ['server.names-file', '192.0.2.7', 'line 1: expected ADDRESS NAME'],
    ['server.names-file', '192.0.2.7 a b', 'line 1: expected ADDRESS NAME'],
    ['server.names-file', 'turn.example a', `line 1: expected ${ADDRESS}`],
    ['server.names-file', '192.0.2.7:0 a', `line 1: expected ${ADDRESS}`],
    ['server.names-file', '192.0.2.7 ä', `line 1: expected ${NAME} after the address`],
    ['server.names-file', '::1 a\n[::1] b', 'line 2: expected ::1 once'],
    ['server.names-file', '192.0.2.7 a\n::ffff:192.0.2.7 b', 'line 2: expected 192.0.2.7 once'],
  ])('%s is refused with %j', (flag, text, why) => {
    const argv = [`--${flag}=/file`, '--statsdb.password-file=/pw'];
    const read = (path: string): string => (path === '/file' ? text : readFile(path));
    const act = (): unknown => parseCommandLine(argv, {}, { readFile: read });
    expect(act).toThrow(new ConfigError(`Cannot use --${flag} "/file": ${why}`));
    expect(act).not.toThrow('s3cret');
  });
});
