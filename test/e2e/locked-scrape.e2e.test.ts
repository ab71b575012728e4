import { copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import bcryptjs from 'bcryptjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import { launchExporter } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { TestProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';

interface Scraped {
  readonly job: string;
  readonly up: number;
}

/** The serial number of the certificate that a server shows now. */
function serialOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

describe('Prometheus and a locked exporter', () => {
  it('scrapes with a client certificate and a login, and not without', async () => {
    const folder = createTempFolder(onTestFinished);
    const ca = makeCertificate(folder, 'ca');
    makeCertificate(folder, 'server', { issuer: ca, names: 'IP:127.0.0.1' });
    makeCertificate(folder, 'next', { issuer: ca, names: 'IP:127.0.0.1' });
    makeCertificate(folder, 'client', { issuer: ca });
    const web = join(folder, 'web.yml');
    writeFileSync(
      web,
      `tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
basic_auth_users:
  prometheus: ${bcryptjs.hashSync('secret', 5)}
`,
    );
    const exporter = launchExporter(onTestFinished, {
      args: ['--web.config.file', web, '--statsdb.listen-address', '127.0.0.1:0'],
    });
    await exporter.listening();
    const target = new URL(exporter.address);
    const { first: port } = await claimPorts(onTestFinished);
    const job = (name: string, login: string, certificate: string): string => `
  - job_name: ${name}
    scheme: https
    scrape_interval: 500ms
    scrape_timeout: 500ms
    tls_config: { ca_file: ca.pem${certificate} }
    basic_auth: { username: prometheus, password: ${login} }
    static_configs: [{ targets: ["${target.host}"] }]`;
    const certificate = ', cert_file: client.pem, key_file: client.key';
    writeFileSync(
      join(folder, 'prometheus.yml'),
      `scrape_configs:${job('good', 'secret', certificate)}${job('login', 'guess', certificate)}${job('stranger', 'secret', '')}\n`,
    );
    const prometheus = new TestProcess(onTestFinished, {
      command: 'prometheus',
      args: [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=warn',
      ],
    });
    const query = async (expression: string): Promise<Scraped[]> => {
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`;
      const answer = (await (await fetch(url)).json()) as {
        data: { result: { metric: { job: string }; value: [number, string] }[] };
      };
      return answer.data.result.map(({ metric, value }) => ({
        job: metric.job,
        up: Number(value[1]),
      }));
    };
    const expected = [
      { job: 'good', up: 1 },
      { job: 'login', up: 0 },
      { job: 'stranger', up: 0 },
    ];
    await until(() => query('sort(up)'), {
      what: 'three jobs, one of them up',
      timeoutMs: 30_000,
      isDone: (jobs) =>
        JSON.stringify(jobs.toSorted((a, b) => a.job.localeCompare(b.job))) ===
        JSON.stringify(expected),
      show: (jobs) => `${JSON.stringify(jobs)}\n${prometheus.describe()}`,
    });
    await until(
      () => query('coturn_exporter_web_refused_total{job="good",reason="unauthorized"}'),
      {
        what: 'refused logins to be counted',
        isDone: ([refused]) => (refused?.up ?? 0) > 0,
      },
    );

    const before = await serialOf(Number(target.port));
    for (const suffix of ['pem', 'key']) {
      copyFileSync(join(folder, `next.${suffix}`), join(folder, `new.${suffix}`));
      renameSync(join(folder, `new.${suffix}`), join(folder, `server.${suffix}`));
    }
    expect(await serialOf(Number(target.port))).not.toBe(before);
    const reloads = 'coturn_exporter_web_config_reloads_total{job="good",result="success"}';
    await until(() => query(reloads), {
      what: 'scrapes to go on with the new certificate',
      isDone: ([reloaded]) => (reloaded?.up ?? 0) >= 1,
    });
    await until(() => query('up{job="good"}'), {
      what: 'the good job to be up',
      isDone: ([good]) => good?.up === 1,
    });
  });
});
