import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import { ExporterProcess, launchExporter, startExporter } from '../support/exporter-process.ts';
import { createTempFolder } from '../support/temp-folder.ts';

describe('healthcheck', () => {
  it('ends with 0 while the exporter answers, and with 1 and a line when nobody does', async () => {
    const exporter = await startExporter(onTestFinished, {
      args: ['--statsdb.listen-address', '127.0.0.1:0'],
    });
    const { host, port } = new URL(exporter.address);
    expect(await healthcheck([`--web.listen-address=:${port}`])).toEqual({ code: 0, stderr: [] });
    await exporter.stop();
    expect(await healthcheck([`--web.listen-address=:${port}`])).toEqual({
      code: 1,
      stderr: [`coturn-exporter: no answer at ${host}`],
    });
  });

  it('takes being asked for a login for an answer, and a failure for none', async () => {
    expect((await healthcheck([`--web.listen-address=127.0.0.1:${await serve(401)}`])).code).toBe(
      0,
    );
    expect((await healthcheck([`--web.listen-address=127.0.0.1:${await serve(503)}`])).code).toBe(
      1,
    );
  });

  it.each(['TLS12', 'TLS13'])(
    'takes being asked for a client certificate for an answer, in %s',
    async (version) => {
      const folder = createTempFolder(onTestFinished);
      makeCertificate(folder, 'server');
      const file = join(folder, 'web.yml');
      const rules = `client_auth_type: RequireAndVerifyClientCert, client_ca_file: server.pem`;
      writeFileSync(
        file,
        `tls_server_config: {cert_file: server.pem, key_file: server.key, ${rules}, max_version: ${version}}\n`,
      );
      const exporter = launchExporter(onTestFinished, {
        args: ['--statsdb.listen-address=127.0.0.1:0', `--web.config.file=${file}`],
      });
      await exporter.listening();
      const { port } = new URL(exporter.address);
      expect(await healthcheck([`--web.listen-address=:${port}`])).toEqual({ code: 0, stderr: [] });
      await exporter.stop();
      expect((await healthcheck([`--web.listen-address=:${port}`])).code).toBe(1);
    },
  );

  it('asks where the environment says that the exporter listens', async () => {
    const env = { COTURN_EXPORTER_WEB_LISTEN_ADDRESS: `127.0.0.1:${await serve(200)}` };
    expect((await healthcheck([], env)).code).toBe(0);
  });
});

async function healthcheck(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { process } = new ExporterProcess(onTestFinished, { args: ['healthcheck', ...args], env });
  const { code } = await process.exited;
  return { code, stderr: process.stderr };
}

/** The port of a server that answers everything with this status. */
async function serve(status: number): Promise<number> {
  const server: Server = createServer((_request, response) => {
    response.writeHead(status).end();
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port');
  return address.port;
}
