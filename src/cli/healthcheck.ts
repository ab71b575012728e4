import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { type OptionTable, parseOptions, renderOptions } from '../config/option-parser.ts';
import { OPTIONS, type OptionValues } from '../config/options.ts';
import { formatHostPort, type HostPort } from '../config/values.ts';
import type { CommandContext } from './command.ts';

/** The values of {@link HEALTHCHECK_OPTIONS}, by flag. */
interface HealthcheckValues extends Pick<OptionValues, 'web.listen-address'> {
  readonly help: boolean;
}

/** The flags of `healthcheck`: where the exporter listens. */
const HEALTHCHECK_OPTIONS: OptionTable<HealthcheckValues> = {
  'web.listen-address': OPTIONS['web.listen-address'],
  help: { kind: 'switch', help: 'Print this text, then exit.' },
};

/** Docker gives the whole command three seconds. */
const PATIENCE_MS = 2_000;
const LOOPBACK: ReadonlyMap<string, string> = new Map([
  ['', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/**
 * Runs `healthcheck`: asks the exporter of this machine whether it lives, for containers without a
 * shell.
 *
 * @param argv the arguments after `healthcheck`
 * @returns the exit code: 0 when it answers, else 1
 * @throws {ConfigError} on flags that cannot be used
 */
export async function runHealthcheck(
  argv: readonly string[],
  { env, stdout, stderr }: Pick<CommandContext, 'env' | 'stdout' | 'stderr'>,
): Promise<number> {
  const values = parseOptions(HEALTHCHECK_OPTIONS, argv, env);
  if (values.help) {
    stdout.write(renderHelp());
    return 0;
  }
  const { host, port } = values['web.listen-address'];
  const address: HostPort = { host: LOOPBACK.get(host) ?? host, port };
  // Which of the two it speaks stands in a file that this command need not be able to read.
  for (const scheme of ['http', 'https'] as const) {
    if (await answers(scheme, address)) return 0;
  }
  stderr.write(`coturn-exporter: no answer at ${formatHostPort(address)}\n`);
  return 1;
}

function renderHelp(): string {
  return `Usage: coturn-exporter healthcheck [flags]

Asks the exporter on this machine whether it lives. The exit code is 0 when it
answers, also when it asks for a login or a client certificate, 1 when it does
not, 2 when flags cannot be used.

${renderOptions(HEALTHCHECK_OPTIONS)}`;
}

/**
 * Whether something answers there that does not fail itself. Being asked for a login is an answer,
 * and so is being asked for a client certificate, which this command has none of: TLS is spoken by
 * the same event loop.
 */
function answers(scheme: 'http' | 'https', { host, port }: HostPort): Promise<boolean> {
  const request = scheme === 'http' ? requestPlain : requestTls;
  const options = { host, port, path: '/livez', timeout: PATIENCE_MS, rejectUnauthorized: false };
  return new Promise((resolve) => {
    const sent = request(options, (response) => {
      response.resume();
      resolve((response.statusCode ?? 500) < 500);
    });
    let speaksTls = false;
    sent.once('socket', (socket) => {
      socket.once('secureConnect', () => {
        speaksTls = true;
      });
    });
    sent.once('timeout', () => {
      resolve(false);
      sent.destroy();
    });
    sent.once('error', (error) => resolve(speaksTls || isAlert(error)));
    sent.once('close', () => resolve(speaksTls));
    sent.end();
  });
}

/** TLS 1.2 refuses a client without a certificate in mid handshake. */
function isAlert(error: Error): boolean {
  return error.message.includes('SSL alert number');
}
