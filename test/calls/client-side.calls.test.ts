import { expect, it, onTestFinished } from 'vitest';
import { hasDifference } from '../support/coturn-version.ts';
import { type Datagram, startPacketCapture } from '../support/packet-capture.ts';
import { countersOf, recordSums } from '../support/scripted-coturn.ts';
import { runTurnClient } from '../support/turn-client.ts';
import { REALM, startHeardTurn, untilOver } from './call-scene.ts';

const PASSWORD = 'correct-horse';

it('the client side of UDP is what crossed the wire, but for what 4.17 answers without state', async () => {
  const heard = await startHeardTurn(onTestFinished, {
    users: { alice: PASSWORD },
    // That which uclient makes to try whether it can, and leaves, ends by this.
    maxAllocateLifetime: 12,
  });
  const { port } = heard.turn;
  const capture = await startPacketCapture(onTestFinished, { first: port, last: port });
  const account = { server: heard.turn, username: 'alice', password: PASSWORD };
  await runTurnClient(onTestFinished, { ...account, messages: 50 });
  const [metrics] = await untilOver(heard);
  const datagrams = await capture.stop();
  const received = sumBytes(datagrams.filter(({ to }) => to === port));
  const sent = sumBytes(datagrams.filter(({ from }) => from === port));
  const untold = hasDifference('statelessNonce') ? firstExchanges(datagrams, port) : NOTHING;
  for (const exporter of heard.exporters.values()) {
    expect(recordSums(exporter.records)).toMatchObject({
      received_bytes: received - untold.received,
      sent_bytes: sent - untold.sent,
    });
    expect(metrics && countersOf([metrics], { realm: REALM })).toEqual(
      recordSums(exporter.records),
    );
  }
});

const NOTHING = { received: 0, sent: 0 };

/** The first request of each client, and the answer to it that asks for a login. */
function firstExchanges(datagrams: readonly Datagram[], port: number) {
  const clients = new Set(datagrams.filter(({ to }) => to === port).map(({ from }) => from));
  let { received, sent } = NOTHING;
  for (const client of clients) {
    received += datagrams.find(({ from }) => from === client)?.bytes ?? 0;
    sent += datagrams.find(({ to }) => to === client)?.bytes ?? 0;
  }
  return { received, sent };
}

function sumBytes(datagrams: readonly Datagram[]): number {
  return datagrams.reduce((sum, { bytes }) => sum + bytes, 0);
}
