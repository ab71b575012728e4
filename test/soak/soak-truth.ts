import type { RunningFleet } from '../../src/simulator/run-simulation.ts';
import { addTraffic, createTraffic, type MutableTraffic } from '../../src/simulator/traffic.ts';
import type { SessionTruth } from '../../src/simulator/truth.ts';

/** All that a simulated user did, over all calls. */
export interface UserTruth {
  readonly client: MutableTraffic;
  readonly peer: MutableTraffic;
  allocations: number;
  /** A server crashed under one of its calls. */
  crashed: boolean;
  /** `performance.now()` of each `new` and of each total. */
  readonly beginsMs: number[];
  readonly totalsMs: number[];
}

/** `turn/realm/example.org/user/1750000060:user7/allocation/001000000000000001/status` */
const USER_OF_CHANNEL = /\/user\/[^:]*:([^/]*)\/allocation\//;

/** Watches what a fleet publishes and when; by the name of the user, which is of one realm only. */
export function watchTruth({ fleet }: RunningFleet): ReadonlyMap<string, UserTruth> {
  const users = new Map<string, UserTruth>();
  const of = (user: string): UserTruth => {
    const known = users.get(user) ?? {
      client: createTraffic(),
      peer: createTraffic(),
      allocations: 0,
      crashed: false,
      beginsMs: [],
      totalsMs: [],
    };
    users.set(user, known);
    return known;
  };
  for (const server of fleet.servers) {
    const publish = server.publish.bind(server);
    server.publish = (kind, message) => {
      publish(kind, message);
      if (kind !== 'new' && kind !== 'total_traffic') return;
      const user = USER_OF_CHANNEL.exec(message.channel)?.[1];
      if (user === undefined) throw new Error(`No user in ${message.channel}`);
      const truth = of(user);
      (kind === 'new' ? truth.beginsMs : truth.totalsMs).push(performance.now());
    };
  }
  fleet.onSession = (session: SessionTruth) => {
    const truth = of(session.user);
    addTraffic(truth.client, session.client);
    addTraffic(truth.peer, session.peer);
    truth.allocations += session.allocations;
    truth.crashed ||= session.crashed;
  };
  return users;
}
