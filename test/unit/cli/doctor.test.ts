import { describe, expect, it } from 'vitest';
import { readDoctorConfig, renderDoctorHelp } from '../../../src/cli/doctor.ts';

const URL = ['--redis.url', 'redis://redis.example.org/2'];

describe('readDoctorConfig', () => {
  it('reads the flags about Redis as the exporter does', () => {
    const files: Record<string, string> = { password: 'hunter2\n' };
    const argv = [...URL, '--redis.password-file', 'password', '--doctor.wait=3s', '--json'];
    const read = readDoctorConfig(argv, {}, (path) => files[path] ?? '');
    expect(read).toMatchObject({ waitMs: 3000, json: true });
    expect(read?.config.redis.sources).toMatchObject([{ dbs: [2] }]);
    expect(read?.config.redis.secrets).toEqual(['hunter2']);
  });

  it('reads the environment of the exporter, and passes over its other variables', () => {
    const env = {
      COTURN_EXPORTER_REDIS_URL: 'redis://one redis://two',
      COTURN_EXPORTER_STATE_FILE: '/var/lib/x',
      COTURN_EXPORTER_DOCTOR_WAIT: '1s',
    };
    const read = readDoctorConfig([], env);
    expect(read?.config.redis.sources).toHaveLength(2);
    expect(read).toMatchObject({ waitMs: 1000, json: false });
  });

  it.each([
    ['no Redis', [], 'Missing --redis.url'],
    ['an unknown flag', [...URL, '--state.file=x'], 'Unknown flag'],
    ['a bad wait', [...URL, '--doctor.wait=soon'], 'Cannot parse --doctor.wait "soon"'],
    ['a bad URL', ['--redis.url=http://x'], 'Cannot parse --redis.url'],
    ['TLS files without TLS', [...URL, '--redis.tls-ca-file=x'], 'Cannot use --redis.tls-ca-file'],
  ])('refuses %s', (_what, argv, message) => {
    expect(() => readDoctorConfig(argv, {})).toThrow(message);
  });

  it('refuses a variable that nobody knows', () => {
    const env = { COTURN_EXPORTER_REDIS_ULR: 'x' };
    expect(() => readDoctorConfig(URL, env)).toThrow('Unknown environment variable');
  });

  it('gives nothing when asked for help, whatever else is wrong', () => {
    expect(readDoctorConfig(['--help', '--nonsense'], {})).toBeUndefined();
    expect(readDoctorConfig([], { COTURN_EXPORTER_HELP: 'true' })).toBeUndefined();
  });
});

describe('renderDoctorHelp', () => {
  it('fits a terminal of 80 columns', () => {
    const lines = renderDoctorHelp().split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});
