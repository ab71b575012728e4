import { pino } from 'pino';
import { Ledger } from '../../../src/domain/ledger.ts';
import { Servers } from '../../../src/domain/servers.ts';
import { Logins, type LoginsOptions } from '../../../src/sources/statsdb/logins.ts';
import type { StatsdbSourceOptions } from '../../../src/sources/statsdb/statsdb-source.ts';

/** What an embedded statsdb of a test needs to know of servers: by their address, unless told. */
export function statsdbOptions(
  logins: Omit<LoginsOptions, 'log'> = {},
): Pick<StatsdbSourceOptions, 'logins' | 'serverName' | 'servers'> {
  return {
    logins: new Logins({ ...logins, log: pino({ enabled: false }) }),
    serverName: (address) => address,
    servers: new Servers({ ledger: new Ledger(1), forgetAfterMs: 60_000 }),
  };
}
