import type { Defer } from './cleanup.ts';
import { coturnProgram } from './coturn-programs.ts';
import { TestProcess } from './test-process.ts';

export interface TurnClientOptions {
  readonly server: { readonly address: string; readonly port: number; readonly tlsPort?: number };
  readonly username: string;
  readonly password: string;
  /** `tls` and `dtls` go to the TLS port of the server. */
  readonly transport?: 'udp' | 'tcp' | 'tls' | 'dtls';
  /** Even: clients talk pairwise through the relay (`-y`). */
  readonly clients?: number;
  /** Messages each client sends. */
  readonly messages?: number;
  /** Bytes of one message. */
  readonly messageLength?: number;
  readonly packetIntervalMs?: number;
  readonly extraArguments?: readonly string[];
}

/** What `turnutils_uclient` says it did, all of its clients together. */
export interface TurnClientReport {
  readonly exitCode: number | null;
  readonly sentMessages: number;
  readonly receivedMessages: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly output: string;
}

// ": start_mclient: tot_send_msgs=400, tot_recv_msgs=400"
const MESSAGES = /tot_send_msgs=(\d+), tot_recv_msgs=(\d+)/;
// ": start_mclient: tot_send_bytes ~ 68000, tot_recv_bytes ~ 68000"
const BYTES = /tot_send_bytes ~ (\d+), tot_recv_bytes ~ (\d+)/;

/** Starts `turnutils_uclient` and leaves it running. */
export function startTurnClient(defer: Defer, options: TurnClientOptions): TestProcess {
  return new TestProcess(defer, {
    command: coturnProgram('turnutils_uclient'),
    args: turnArguments(options),
    isUrgent: true,
  });
}

/** Runs `turnutils_uclient` to its end. */
export async function runTurnClient(
  defer: Defer,
  options: TurnClientOptions,
): Promise<TurnClientReport> {
  const client = startTurnClient(defer, options);
  const { code } = await client.exited;
  return { exitCode: code, ...parseClientOutput([...client.stdout, ...client.stderr]) };
}

/** The last numbers in the output; 0 where it has none, as after a failed login. */
export function parseClientOutput(lines: readonly string[]): Omit<TurnClientReport, 'exitCode'> {
  const messages = lines.findLast((line) => MESSAGES.test(line))?.match(MESSAGES);
  const bytes = lines.findLast((line) => BYTES.test(line))?.match(BYTES);
  return {
    sentMessages: Number(messages?.[1] ?? 0),
    receivedMessages: Number(messages?.[2] ?? 0),
    sentBytes: Number(bytes?.[1] ?? 0),
    receivedBytes: Number(bytes?.[2] ?? 0),
    output: lines.join('\n'),
  };
}

function turnArguments(options: TurnClientOptions): string[] {
  const { transport = 'udp', server } = options;
  const isSecure = transport === 'tls' || transport === 'dtls';
  return [
    ...(transport === 'tcp' || transport === 'tls' ? ['-t'] : []),
    ...(isSecure ? ['-S'] : []),
    ...['-y', '-c'],
    ...['-m', String(options.clients ?? 2)],
    ...['-n', String(options.messages ?? 100)],
    ...['-l', String(options.messageLength ?? 170)],
    ...['-z', String(options.packetIntervalMs ?? 3)],
    ...['-u', options.username],
    ...['-w', options.password],
    ...['-p', String(isSecure ? server.tlsPort : server.port)],
    ...(options.extraArguments ?? []),
    server.address,
  ];
}
