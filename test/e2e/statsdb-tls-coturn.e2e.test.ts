import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import {
  channelHeaderBytes,
  coturnVersion,
  speaksTlsToStatsdb,
} from '../support/coturn-version.ts';
import { startExporter } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import { recordSums } from '../support/scripted-coturn.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { runTurnClient } from '../support/turn-client.ts';
import { startTurnServer } from '../support/turn-server.ts';

const PASSWORD = 'correct-horse';
const CALL = { username: 'alice', password: PASSWORD, transport: 'tcp', messages: 60 } as const;
const PACKETS = 2 * CALL.messages;
const BYTES = PACKETS * 170;

/** An exporter that takes TLS only, from clients with a certificate; and a coturn with one, or none. */
async function startBoth({ hasCertificate }: { hasCertificate: boolean }) {
  const folder = createTempFolder(onTestFinished);
  const authority = makeCertificate(folder, 'authority');
  const names = 'DNS:localhost,IP:127.0.0.1';
  const served = makeCertificate(folder, 'exporter', { issuer: authority, names });
  const client = makeCertificate(folder, 'coturn', { issuer: authority });
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, 'sesame\n');
  const { first: port } = await claimPorts(onTestFinished);
  const exporter = await startExporter(onTestFinished, {
    args: [
      ...['--statsdb.listen-address', `127.0.0.1:${port}`, '--statsdb.password-file', passwordFile],
      ...['--statsdb.tls-cert-file', served.cert, '--statsdb.tls-key-file', served.key],
      ...['--statsdb.tls-client-ca-file', authority.cert],
    ],
  });
  const own = hasCertificate ? ` tls-cert=${client.cert} tls-key=${client.key}` : '';
  const server = await startTurnServer(onTestFinished, {
    realm: 'example.org',
    users: { alice: PASSWORD },
    statsdb: {
      port,
      database: 0,
      password: 'sesame',
      more: `tls=true tls-ca=${authority.cert}${own}`,
    },
  });
  return { exporter, server };
}

const speaksTls = speaksTlsToStatsdb();

describe.skipIf(!speaksTls)('a coturn that speaks TLS to its statsdb', () => {
  it('is heard to the byte', async () => {
    const { exporter, server } = await startBoth({ hasCertificate: true });
    const report = await runTurnClient(onTestFinished, { ...CALL, server });
    expect(report.sentMessages).toBe(PACKETS);
    const metrics = await exporter.untilMetrics(
      (seen) => seen.sum('coturn_sessions_finished_total') > 0 && seen.sum('coturn_sessions') === 0,
      { what: 'the call to be over' },
    );
    expect(recordSums(exporter.records)).toMatchObject({
      peer_received_bytes: BYTES,
      peer_sent_bytes: BYTES + channelHeaderBytes(PACKETS),
    });
    expect(metrics.sum('coturn_exporter_events_rejected_total')).toBe(0);
  });

  it('without a certificate serves its clients, and is not heard', async () => {
    const { exporter, server } = await startBoth({ hasCertificate: false });
    const report = await runTurnClient(onTestFinished, { ...CALL, server });
    expect(report).toMatchObject({ exitCode: 0, sentMessages: PACKETS });
    const metrics = await exporter.metrics();
    expect(metrics.sum('coturn_exporter_events_total')).toBe(0);
    expect(metrics.sum('coturn_exporter_statsdb_connections_refused_total')).toBeGreaterThan(0);
  });
});

// A reason that people see in the output.
if (!speaksTls) it.skip(`coturn ${coturnVersion()} speaks no TLS to its statsdb`, () => undefined);
