import { readFileSync } from 'node:fs';
import type { Defer } from './cleanup.ts';
import { type Exposition, parseExposition } from './exposition.ts';
import { parseJsonObject, type RecordLine } from './json-lines.ts';
import { PROGRAM } from './program.ts';
import { checkRecord } from './record-schema.ts';
import { type ProcessExit, TestProcess } from './test-process.ts';
import { until } from './until.ts';

export interface ExporterOptions {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface UntilMetricsOptions {
  readonly what: string;
  readonly timeoutMs?: number;
}

/** Of `/proc`, on every Linux that matters. */
const MS_PER_TICK = 10;
const OWN_VARIABLE = /^COTURN_EXPORTER_/;

/** The built exporter, run the way an operator runs it: flags in, HTTP, stdout and stderr out. */
export class ExporterProcess {
  readonly process: TestProcess;
  #address: string | undefined;

  constructor(defer: Defer, options: ExporterOptions) {
    this.process = new TestProcess(defer, {
      command: PROGRAM.command,
      args: [...PROGRAM.args, ...options.args],
      env: { ...withoutOwnVariables(process.env), ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
  }

  /** Its own log: the JSON objects among the lines on stderr. */
  get log(): Array<Record<string, unknown>> {
    return this.process.stderr.map(parseJsonObject).filter((entry) => entry !== undefined);
  }

  /** The session records on stdout. Throws on a line that is not a JSON object. */
  get records(): RecordLine[] {
    return this.process.stdout.map((line) => {
      const record = parseJsonObject(line);
      if (record === undefined) throw new Error(`Not a record on stdout: ${line}`);
      checkRecord(record);
      return record;
    });
  }

  /** "http://127.0.0.1:34567", from the log; known after `listening`. */
  get address(): string {
    if (this.#address === undefined) throw new Error('Not listening yet');
    return this.#address;
  }

  /** Resident memory of the process, in bytes. */
  get residentBytes(): number {
    const status = readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }

  /** What it has taken of the processors so far, in ms. */
  get cpuMs(): number {
    const stat = readFileSync(`/proc/${this.process.pid}/stat`, 'utf8');
    // proc(5): after the name, which may hold blanks, utime and stime are the 12th and 13th field.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  }

  /** Waits until it listens. */
  async listening(timeoutMs?: number): Promise<void> {
    this.#address = await until(
      () => {
        const address = this.log.map(({ address: field }) => field).find(isHttpAddress);
        if (address === undefined && !this.process.isRunning) return 'ended';
        return address ?? '';
      },
      {
        what: 'the exporter to listen',
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        isDone: (address) => address !== '',
        show: () => this.process.describe(),
      },
    );
    if (this.#address === 'ended') throw new Error(this.process.describe());
  }

  /** Waits until it listens and every source can receive. */
  async ready(): Promise<void> {
    await this.listening();
    await until(() => this.get('/readyz'), {
      what: '/readyz to be 200',
      isDone: ({ status }) => status === 200,
      show: (answer) => `${JSON.stringify(answer)}\n${this.process.describe()}`,
    });
  }

  async get(path: string): Promise<{ status: number; body: string }> {
    const response = await fetch(`${this.address}${path}`);
    return { status: response.status, body: await response.text() };
  }

  async metrics(): Promise<Exposition> {
    const { status, body } = await this.get('/metrics');
    if (status !== 200) throw new Error(`/metrics answers ${status}: ${body}`);
    return parseExposition(body);
  }

  /** The first scrape for which `isDone` is true. */
  untilMetrics(
    isDone: (metrics: Exposition) => boolean,
    options: UntilMetricsOptions,
  ): Promise<Exposition> {
    return until(() => this.metrics(), {
      ...options,
      isDone,
      show: ({ text }) => `${coturnLines(text)}\n${this.process.describe()}`,
    });
  }

  /** The records, once there are as many as this. */
  untilRecords(count: number): Promise<RecordLine[]> {
    return until(() => this.records, {
      what: `${count} session records`,
      isDone: (records) => records.length >= count,
    });
  }

  stop(): Promise<ProcessExit> {
    return this.process.stop();
  }
}

/** Starts the exporter on a port of its own and waits until every source can receive. */
export async function startExporter(
  defer: Defer,
  options: ExporterOptions,
): Promise<ExporterProcess> {
  const exporter = launchExporter(defer, options);
  await exporter.ready();
  return exporter;
}

/** Starts the exporter on a port of its own and waits for nothing. */
export function launchExporter(defer: Defer, options: ExporterOptions): ExporterProcess {
  const args = ['--web.listen-address', '127.0.0.1:0', '--session.linger', '500ms'];
  return new ExporterProcess(defer, { ...options, args: [...args, ...options.args] });
}

function withoutOwnVariables(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !OWN_VARIABLE.test(name)),
  );
}

function isHttpAddress(address: unknown): address is string {
  return typeof address === 'string' && /^https?:\/\//.test(address);
}

function coturnLines(text: string): string {
  const lines = text.split('\n').filter((line) => line.startsWith('coturn_'));
  return lines.filter((line) => !line.includes('_bucket{') && !line.endsWith(' 0')).join('\n');
}
