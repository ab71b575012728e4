import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FLAVOURS } from '../../../src/simulator/fleet-options.ts';
import {
  authCommand,
  encodeCommand,
  encodePair,
  type Target,
} from '../../../src/simulator/wire.ts';

const TARGET: Target = { kind: 'redis', address: { host: '127.0.0.1', port: 6379 }, db: 2 };

describe('encodeCommand', () => {
  it('tells lengths in bytes, also of empty arguments', () => {
    expect(encodeCommand(['del', 'café', ''])).toBe('*3\r\n$3\r\ndel\r\n$5\r\ncafé\r\n$0\r\n\r\n');
  });
});

describe('encodePair', () => {
  it.each(['publish', 'set'] as const)('encodes %s as encodeCommand does', (command) => {
    const key = 'turn/realm/bücher.example/user/alice/allocation/000000000000000001/status';
    expect(encodePair(command, key, 'deleted')).toBe(encodeCommand([command, key, 'deleted']));
  });
});

describe('authCommand', () => {
  it('sends an empty password up to 4.6.1 and nothing in 4.17.1', () => {
    expect(authCommand(TARGET, FLAVOURS['4.6.1'])).toEqual(['AUTH', '']);
    expect(authCommand(TARGET, FLAVOURS['4.17.1'])).toEqual([]);
  });

  it('sends a password, with a username when there is one', () => {
    const secret = { ...TARGET, password: 'x' };
    expect(authCommand(secret, FLAVOURS['4.17.1'])).toEqual(['AUTH', 'x']);
    const named = { ...secret, username: 'coturn' };
    expect(authCommand(named, FLAVOURS['4.6.1'])).toEqual(['AUTH', 'coturn', 'x']);
  });
});

describe('the encoders', () => {
  it.each(['4.6.1', '4.17.1'])(
    'say what coturn %s was recorded to say, byte for byte',
    (version) => {
      const folder = new URL(`../../fixtures/wire/${version}/`, import.meta.url);
      const files = readdirSync(folder).filter((name) => name.endsWith('.bin'));
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) {
        const recorded = readFileSync(new URL(file, folder), 'utf8');
        const again = commandsIn(recorded).map((parts) => {
          const [name, key = '', text = ''] = parts;
          if (name === 'publish' || name === 'set') return encodePair(name, key, text);
          return encodeCommand(parts);
        });
        expect(again.join('')).toBe(recorded);
      }
    },
  );
});

/** The commands of an ASCII recording, which holds no line ends inside arguments. */
function commandsIn(text: string): string[][] {
  const commands: string[][] = [];
  for (const [, body = ''] of text.matchAll(/\*\d+\r\n((?:\$\d+\r\n[^\r]*\r\n)+)/g)) {
    commands.push([...body.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, part = '']) => part));
  }
  return commands;
}
