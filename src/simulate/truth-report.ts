import { isZero, type Traffic } from '../domain/traffic.ts';
import { countEvents, type Tally, type Truth } from './truth.ts';

/** The truth as a text for people; ends in a line break. */
export function renderTruth(truth: Truth): string {
  const { calls, events } = truth;
  const kinds = Object.entries(events).map(([kind, count]) => `${kind} ${count}`);
  return [
    `${countEvents(events)} events in ${truth.simulatedSeconds.toFixed(1)} simulated seconds, seed ${truth.seed}`,
    `  ${kinds.join(', ')}`,
    `  calls: ${calls.started} started, ${calls.relayed} of them relayed, ${calls.finished} finished, ${calls.refused} refused`,
    ...truth.realms.flatMap((realm) => [
      `realm ${realm.realm}: ${realm.sessions} sessions, ${allocationsText(realm)}`,
      ...tallyLines(realm),
    ]),
    ...truth.servers.flatMap((server) => [
      `server ${server.server} (${server.flavour}): ${server.crashes} crashes, ${allocationsText(server)}`,
      ...tallyLines(server),
    ]),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

function allocationsText({ allocations, lostAllocations, refreshes }: Tally): string {
  return `${allocations} allocations (${lostAllocations} lost), ${refreshes} refreshes`;
}

function tallyLines(tally: Tally): string[] {
  return [
    trafficLine('client side', tally.client),
    trafficLine('peer side', tally.peer),
    trafficLine('unallocated', tally.unallocated),
    ...(isZero(tally.lostClient) && isZero(tally.lostPeer)
      ? []
      : [
          trafficLine('never told, client side', tally.lostClient),
          trafficLine('never told, peer side', tally.lostPeer),
        ]),
  ];
}

function trafficLine(title: string, traffic: Traffic): string {
  const received = `received ${traffic.receivedBytes} bytes in ${traffic.receivedPackets} packets`;
  const sent = `sent ${traffic.sentBytes} bytes in ${traffic.sentPackets} packets`;
  return `  ${title}: ${received}, ${sent}`;
}
