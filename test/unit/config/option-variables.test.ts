import { describe, expect, it } from 'vitest';
import { rejectUnknownVariables, variableOf } from '../../../src/config/option-parser.ts';

const FLAGS = ['redis.url', 'redis.tls-ca-file', 'log.level'];

describe('variableOf', () => {
  it('replaces dots and dashes', () => {
    expect(variableOf('redis.tls-ca-file')).toBe('COTURN_EXPORTER_REDIS_TLS_CA_FILE');
  });
});

describe('rejectUnknownVariables', () => {
  it.each<[string, string | undefined]>([
    ['COTURN_EXPORTER_LOG_LEVEL', 'anything'],
    ['COTURN_EXPORTER_LOG_LEVLE', undefined],
    ['COTURN_EXPORTERS', 'x'],
    ['PATH', '/bin'],
    ['COTURN_EXPORTER_SERVICE_HOST', '10.0.0.1'],
    ['COTURN_EXPORTER_SERVICE_PORT', '10641'],
    ['COTURN_EXPORTER_SERVICE_PORT_HTTP_METRICS', '10641'],
    ['COTURN_EXPORTER_PORT', 'tcp://10.0.0.1:10641'],
    ['COTURN_EXPORTER_PORT_10641_TCP', 'tcp://10.0.0.1:10641'],
    ['COTURN_EXPORTER_PORT_10641_TCP_PROTO', 'tcp'],
    ['COTURN_EXPORTER_PORT_10641_TCP_PORT', '10641'],
    ['COTURN_EXPORTER_PORT_10641_TCP_ADDR', '10.0.0.1'],
    ['COTURN_EXPORTER_STATSDB_SERVICE_HOST', '10.0.0.1'],
    ['COTURN_EXPORTER_STATSDB_PORT', 'tcp://10.0.0.1:6380'],
  ])('lets %s=%s pass', (name, value) => {
    expect(() => rejectUnknownVariables({ [name]: value }, FLAGS)).not.toThrow();
  });

  it.each([
    [
      'COTURN_EXPORTER_LOG_LEVLE',
      'COTURN_EXPORTER_LOG_LEVLE: did you mean COTURN_EXPORTER_LOG_LEVEL?',
    ],
    [
      'COTURN_EXPORTER_LOGLEVEL',
      'COTURN_EXPORTER_LOGLEVEL: did you mean COTURN_EXPORTER_LOG_LEVEL?',
    ],
    [
      'COTURN_EXPORTER_log_level',
      'COTURN_EXPORTER_log_level: did you mean COTURN_EXPORTER_LOG_LEVEL?',
    ],
    ['COTURN_EXPORTER_REDIS_PASSWORD', 'COTURN_EXPORTER_REDIS_PASSWORD: see --help'],
    ['COTURN_EXPORTER_PORT', 'COTURN_EXPORTER_PORT: see --help'],
    ['COTURN_EXPORTER_', 'COTURN_EXPORTER_: see --help'],
    ['COTURN_EXPORTER_A\nB', 'COTURN_EXPORTER_A?B: see --help'],
  ])('refuses %j without its value', (name, message) => {
    expect(() => rejectUnknownVariables({ [name]: 's3cret' }, FLAGS)).toThrow(
      expect.objectContaining({
        name: 'ConfigError',
        message: `Unknown environment variable ${message}`,
      }),
    );
  });
});
