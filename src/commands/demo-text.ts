import { renderOptions } from '../config/option-parser.ts';
import { OPTIONS } from '../config/options.ts';
import { formatHostPort, type HostPort } from '../config/values.ts';
import type { TakenAddress } from './demo-defaults.ts';

/** What a demo tells when it runs. */
export interface DemoScene {
  /** How many simulated coturn servers. */
  readonly servers: number;
  readonly statsdb: HostPort;
  readonly landingPage: string;
  readonly metrics: string;
  /** For people: the file of the records, or `standard output`. */
  readonly records: string;
  readonly taken: readonly TakenAddress[];
}

/** Where to look and what to try, for people; ends in a line break. */
export function renderHints(scene: DemoScene): string {
  const { servers, statsdb, landingPage, metrics, records, taken } = scene;
  const notes = taken.map(
    ({ flag, address }) => `${address} is taken, so --${flag} is a free port here.\n`,
  );
  return `${notes.join('')}${servers} simulated coturn servers publish to ${formatHostPort(statsdb)}.

  Landing page   ${landingPage}
  Metrics        ${metrics}

Records of finished sessions go to ${records}, the first within 15 seconds.
To try next, in another terminal:

  curl -s ${metrics} | grep '^coturn_'
  redis-cli -h ${statsdb.host} -p ${statsdb.port} keys '*'

or a coturn of your own, with this line in its turnserver.conf:

  redis-statsdb="ip=${statsdb.host} port=${statsdb.port}"

Ctrl-C ends it.
`;
}

/** The text of `demo --help`: 80 columns, ends in a line break. */
export function renderDemoHelp(): string {
  return `Usage: coturn-exporter demo [flags]

Runs the exporter and a small simulated fleet of coturn servers in one process,
until Ctrl-C. Takes all flags of the exporter, with other defaults for some:
--web.listen-address 127.0.0.1:10641 and --statsdb.listen-address
127.0.0.1:6380, or free ports where these are taken; --session.linger 1s,
--log.level warn and --log.format pretty.

${renderOptions(OPTIONS)}`;
}
