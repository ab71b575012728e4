import { SIMULATE_OPTIONS } from '../../../src/cli/simulate.ts';
import { readOptions } from '../../../src/config/config.ts';
import { parseOptions } from '../../../src/config/option-parser.ts';
import { OPTIONS } from '../../../src/config/options.ts';

/** Throws when the exporter would not take these arguments; gives the values of its flags. */
export function parseFlags(args: readonly string[]): ReturnType<typeof readOptions> {
  return readOptions(args, {});
}

/** Throws when the command `simulate` would not take these arguments. */
export function parseSimulateFlags(args: readonly string[]): void {
  parseOptions(SIMULATE_OPTIONS, args);
}

/** The names of the exporter's flags: `--records.file`. */
export const FLAGS: ReadonlySet<string> = new Set(Object.keys(OPTIONS).map((name) => `--${name}`));

/** The flags of the exporter that a text names: those with a dot. */
export function flagsIn(text: string): string[] {
  return [
    ...text.matchAll(
      /(?<![\w-])--(?:redis|statsdb|web|session|user|realm|records|state|shard|log)(?:\.[a-z][a-z-]*)+/g,
    ),
  ].map(([flag]) => flag);
}
