import type { WireMessage } from '../../../../src/coturn/delta.ts';
import { type CommandHandler, createCommandReader } from '../../../../src/sources/resp/commands.ts';
import { COMMAND_LIMITS } from '../../../../src/sources/resp/limits.ts';
import { keyOf, payloadTextOf } from '../../../support/wire-message.ts';

/** A handler that collects commands, and checks that both ways a PUBLISH comes say the same. */
export class Collector implements CommandHandler {
  readonly commands: string[][] = [];
  #inPlace: string[] = [];

  messageInPlace(message: WireMessage): boolean {
    this.#inPlace = [keyOf(message), payloadTextOf(message)];
    return false;
  }

  message(key: string, payload: string): void {
    if (this.#inPlace[0] !== key || this.#inPlace[1] !== payload) throw new Error('they differ');
    this.commands.push(['publish', key, payload]);
  }

  command(args: readonly string[]): void {
    this.commands.push([...args]);
  }
}

/** What a new reader makes of these chunks: its commands and its error. */
export function decode(...chunks: Buffer[]): { commands: string[][]; error: string | undefined } {
  const collector = new Collector();
  const reader = createCommandReader(collector, COMMAND_LIMITS);
  let error: string | undefined;
  for (const chunk of chunks) error = reader.push(Buffer.from(chunk));
  return { commands: collector.commands, error };
}

/** One chunk for each byte. */
export function byteByByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte));
}

/** A command as an array of bulk strings. */
export function encode(...args: string[]): Buffer {
  const parts = args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`);
  return Buffer.from(`*${args.length}\r\n${parts.join('')}`);
}
