import type { Socket } from 'node:net';
import { connectTo } from './connection.ts';
import type { Flavour } from './flavour.ts';
import type { Target } from './start-fleet.ts';
import { authCommand, encodeCommand, type Reply, ReplyReader } from './wire.ts';

/** The pattern of all status keys, byte for byte as coturn asks for it. */
export const STATUS_KEYS_PATTERN = 'turn/*/allocation/*/status';

const ANSWER_TIMEOUT_MS = 10_000;

/**
 * What coturn does before it serves anybody: on a connection of its own it waits for the answers to
 * AUTH, SELECT and KEYS, deletes every status key of the database, also those of other servers, and
 * goes (coturn-events.md, section 8). Here the deletions do not wait for each other.
 *
 * @returns how many keys there were
 * @throws {Error} when nobody answers, or the target refuses the login
 */
export async function deleteStatusKeys(
  target: Target,
  from: { readonly localAddress: string; readonly flavour: Flavour },
): Promise<number> {
  const socket = await connectTo(target, from.localAddress);
  try {
    const auth = authCommand(target, from.flavour);
    if (auth.length > 0) {
      const [answer] = await ask(socket, [auth]);
      if (target.password !== undefined || !isAboutPassword(answer)) refuseError(answer);
    }
    const [selected] = await ask(socket, [['select', String(target.db)]]);
    refuseError(selected);
    const [keys] = await ask(socket, [['keys', STATUS_KEYS_PATTERN]]);
    if (keys?.kind !== 'array') throw new Error('Cannot list the status keys: expected an array');
    const deletions = keys.items.map((key) => ['del', key]);
    if (deletions.length > 0) await ask(socket, deletions, 'latin1');
    return keys.items.length;
  } finally {
    socket.end();
  }
}

/** Sends commands and waits for one reply to each. */
function ask(
  socket: Socket,
  commands: readonly (readonly string[])[],
  encoding: 'utf8' | 'latin1' = 'utf8',
): Promise<Reply[]> {
  const reader = new ReplyReader();
  const replies: Reply[] = [];
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('error', settle).off('close', onClose);
      // Whatever happens to it later is nobody's business here.
      socket.on('error', () => socket.destroy());
      if (error === undefined) resolve(replies);
      else reject(error);
    };
    const onClose = (): void => settle(new Error('The connection was closed'));
    const onData = (chunk: Buffer): void => {
      try {
        for (const reply of reader.push(chunk)) replies.push(reply);
      } catch (error) {
        settle(error);
        return;
      }
      if (replies.length >= commands.length) settle();
    };
    const timer = setTimeout(() => settle(new Error('No answer within 10 s')), ANSWER_TIMEOUT_MS);
    socket.on('data', onData).on('error', settle).on('close', onClose);
    for (const command of commands) socket.write(encodeText(command, encoding), encoding);
  });
}

/** With latin1 each character is one byte, and lengths must be told accordingly. */
function encodeText(command: readonly string[], encoding: 'utf8' | 'latin1'): string {
  if (encoding === 'utf8') return encodeCommand(command);
  const parts = command.map((part) => `$${part.length}\r\n${part}\r\n`);
  return `*${parts.length}\r\n${parts.join('')}`;
}

/** The refusal of `AUTH ""`, which coturn ignores; where a password is needed SELECT tells so. */
function isAboutPassword(reply: Reply | undefined): boolean {
  return reply?.kind === 'error' && /AUTH|PASS/.test(reply.text);
}

function refuseError(reply: Reply | undefined): void {
  if (reply?.kind === 'error') throw new Error(`Refused: ${reply.text}`);
}
