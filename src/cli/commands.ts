import type { CommandHelp } from '../config/options.ts';
import type { CommandContext } from './command.ts';

/** A word after the name of the program, and what it does. */
export interface Command extends CommandHelp {
  readonly run: (argv: readonly string[], context: CommandContext) => Promise<number>;
}

/** Every command but the exporter itself. Each loads only what it needs, so that the start is quick. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'demo',
    help: 'the exporter and a small simulated fleet, to look around',
    run: async (...args) => (await import('./demo.ts')).runDemo(...args),
  },
  {
    name: 'doctor',
    help: 'examine where coturn publishes to; says what to change',
    run: async (...args) => (await import('./doctor.ts')).runDoctor(...args),
  },
  {
    name: 'healthcheck',
    help: 'ask the exporter on this machine whether it lives, for containers',
    run: async (...args) => (await import('./healthcheck.ts')).runHealthcheck(...args),
  },
  {
    name: 'record',
    help: 'write down what coturn sends, for bug reports',
    run: async (...args) => (await import('./record.ts')).runRecord(...args),
  },
  {
    name: 'replay',
    help: 'the records or metrics that a recording comes to',
    run: async (...args) => (await import('./replay.ts')).runReplay(...args),
  },
  {
    name: 'report',
    help: 'the bill of record files: sessions, minutes and GB by user, realm, day, …',
    run: async (...args) => (await import('./report.ts')).runReportCommand(...args),
  },
  {
    name: 'simulate',
    help: 'publish as a fleet of coturn servers would',
    run: async (...args) => (await import('./simulate.ts')).runSimulate(...args),
  },
];
