import type { CommandLine } from '../config/command-line.ts';
import type { Config } from '../config/config.ts';
import type { CommandContext } from './command-context.ts';

/** Does what a command line asks for; gives the exit code. `run` is for when it asks to run. */
export async function obey(
  command: CommandLine,
  context: CommandContext,
  run: (config: Config) => Promise<number>,
): Promise<number> {
  switch (command.kind) {
    case 'help':
      context.stdout.write(command.text);
      return 0;
    case 'version':
      context.stdout.write(`coturn-exporter ${context.build.version}\n`);
      return 0;
    case 'check-config':
      context.stdout.write('configuration is valid\n');
      return 0;
    case 'run':
      return await run(command.config);
  }
}
