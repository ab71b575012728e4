import { createSocket } from 'node:dgram';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Defer } from './cleanup.ts';

/** Ports that belong to one server of one test: `first` to `first + size - 1`. */
export interface PortBlock {
  readonly first: number;
  readonly size: number;
}

const CLAIMS = join(tmpdir(), 'coturn-exporter-test-ports');
// Below Linux' ephemeral range (32768 and up): no outgoing connection takes one of these.
const LOWEST_PORT = 20_000;
const BLOCK_SIZE = 64;
const BLOCKS = 190;

/**
 * Ports on 127.0.0.1 that are free for TCP and UDP and that no other test process takes: a claim
 * is a file, made exclusively, with the id of its process; claims of dead processes are void.
 */
export async function claimPorts(defer: Defer): Promise<PortBlock> {
  mkdirSync(CLAIMS, { recursive: true });
  const start = Math.floor(Math.random() * BLOCKS);
  for (let step = 0; step < BLOCKS; step += 1) {
    const first = LOWEST_PORT + ((start + step) % BLOCKS) * BLOCK_SIZE;
    const claim = join(CLAIMS, String(first));
    if (!tryClaim(claim)) continue;
    if (await areFree(first)) {
      defer(() => rmSync(claim, { force: true }));
      return { first, size: BLOCK_SIZE };
    }
    rmSync(claim, { force: true });
  }
  throw new Error(`Cannot find ${BLOCK_SIZE} free ports: all ${BLOCKS} blocks are taken`);
}

function tryClaim(claim: string): boolean {
  try {
    writeFileSync(claim, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    // Void claims are only cleared away: whoever looks at the block next may take it.
    if (!isHeld(claim)) rmSync(claim, { force: true });
    return false;
  }
}

function isHeld(claim: string): boolean {
  try {
    const holder = Number(readFileSync(claim, 'utf8'));
    // Empty: its maker is between creating and writing it.
    if (!Number.isInteger(holder) || holder <= 0) return true;
    process.kill(holder, 0);
    return true;
  } catch (failure) {
    return failure instanceof Error && 'code' in failure && failure.code === 'EPERM';
  }
}

async function areFree(first: number): Promise<boolean> {
  const ports = Array.from({ length: BLOCK_SIZE }, (_, offset) => first + offset);
  const free = await Promise.all(ports.flatMap((port) => [isFreeForTcp(port), isFreeForUdp(port)]));
  return free.every(Boolean);
}

function isFreeForTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function isFreeForUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => socket.close(() => resolve(false)));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}
