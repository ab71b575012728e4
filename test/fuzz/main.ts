import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutate } from './mutate.ts';
import { type FuzzTarget, TARGETS } from './targets.ts';

/** Inputs that a run found worth keeping: those that broke something, once it is mended. */
const FOUND = new URL('../fixtures/fuzz/', import.meta.url);

/** Which blocks of `src/` ran since the last time it was asked, by V8's own count. */
class Coverage {
  readonly #session = new Session();

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  take(): Set<string> {
    const blocks = new Set<string>();
    this.#session.post('Profiler.takePreciseCoverage', (failure, answer) => {
      if (failure === null) for (const script of answer.result) addBlocks(script, blocks);
    });
    return blocks;
  }
}

function addBlocks({ url, functions }: Profiler.ScriptCoverage, blocks: Set<string>): void {
  const file = /\/src\/(.*)$/.exec(url)?.[1];
  if (file === undefined) return;
  for (const { ranges } of functions) {
    for (const { startOffset, endOffset, count } of ranges) {
      if (count > 0) blocks.add(`${file} ${startOffset} ${endOffset}`);
    }
  }
}

/** Feeds a target for some seconds, from every input that reached something new. */
function fuzz(target: FuzzTarget, options: { endMs: number; coverage: Coverage }): boolean {
  const corpus = [...target.seeds(), ...kept(target.name)];
  const reached = new Set<string>();
  let runs = 0;
  const pick = (limit: number): number => Math.floor(Math.random() * limit);
  while (performance.now() < options.endMs) {
    const base = corpus[pick(corpus.length)];
    const other = corpus[pick(corpus.length)];
    if (base === undefined || other === undefined) throw new RangeError('Expected seeds');
    const input = runs < corpus.length ? (corpus[runs] ?? base) : mutate(base, other, pick);
    runs += 1;
    options.coverage.take();
    try {
      target.run(input);
    } catch (error) {
      const file = keep(target.name, input);
      console.error(`${target.name}: ${String(error)}\n  kept as ${file}`);
      return false;
    }
    const before = reached.size;
    for (const block of options.coverage.take()) reached.add(block);
    if (reached.size > before) corpus.push(input);
  }
  console.log(`${target.name}: ${runs} runs, ${reached.size} blocks, ${corpus.length} inputs kept`);
  return true;
}

function kept(name: string): Buffer[] {
  const files = readdirSync(FOUND).filter((file) => file.startsWith(`${name}-`));
  return files.map((file) => readFileSync(new URL(file, FOUND)));
}

function keep(name: string, input: Buffer): string {
  mkdirSync(FOUND, { recursive: true });
  const digest = createHash('sha256').update(input).digest('hex').slice(0, 12);
  const file = new URL(`${name}-${digest}`, FOUND);
  writeFileSync(file, input);
  return fileURLToPath(file);
}

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '60' } },
  allowPositionals: true,
});
const chosen = TARGETS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const coverage = new Coverage();
let isClean = true;
for (const target of chosen) {
  const endMs = performance.now() + (Number(values.seconds) * 1_000) / chosen.length;
  if (!fuzz(target, { endMs, coverage })) isClean = false;
}
process.exitCode = isClean ? 0 : 1;
