/** Packets and bytes of one leg, received and sent as coturn sees them. */
export interface Leg {
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
}

/** What a status message of coturn 4.6.0 and later tells of a client, in coturn's own words. */
export interface ClientLink {
  /** `UDP`, `TCP`, `TLS/TCP`, `DTLS`; `UDP` when left out. */
  readonly type?: string;
  /** `NONE` when left out. */
  readonly ssl?: string;
  readonly local?: string;
  readonly remote?: string;
}

/** The key of an allocation without its topic; an empty realm is none, as coturn writes it. */
export function allocationKey(
  username: string,
  id: number | string,
  realm = 'example.org',
): string {
  const user = `user/${username}/allocation/${String(id).padStart(18, '0')}`;
  return realm === '' ? `turn/${user}` : `turn/realm/${realm}/${user}`;
}

/** `new lifetime=600, type=UDP, …`: a status message of coturn 4.6.0 and later. */
export function statusOf(
  word: 'new' | 'refreshed',
  options: ClientLink & { readonly lifetime?: number } = {},
): string {
  const { lifetime = 600, remote, local, ...rest } = options;
  return `${word} lifetime=${lifetime}${connection(remote, local, rest)}`;
}

/** The part of a status message that coturn has written since 4.6.0. */
export function connection(
  remote = '203.0.113.7:49152',
  local = '192.0.2.1:3478',
  { type = 'UDP', ssl = 'NONE' }: Pick<ClientLink, 'type' | 'ssl'> = {},
): string {
  return `, type=${type}, local=${local}, remote=${remote}, ssl=${ssl}, cipher=NONE`;
}

/** The four numbers of one leg: packets and bytes received, packets and bytes sent. */
export function traffic(
  receivedPackets: number,
  receivedBytes: number,
  sentPackets: number,
  sentBytes: number,
): Leg {
  return { receivedPackets, receivedBytes, sentPackets, sentBytes };
}

/** The payload of a traffic message, of a delta or a total: `rcvp=1, rcvb=20, sentp=1, sentb=80`. */
export function payloadOf(leg: Leg): string {
  const { receivedPackets, receivedBytes, sentPackets, sentBytes } = leg;
  return `rcvp=${receivedPackets}, rcvb=${receivedBytes}, sentp=${sentPackets}, sentb=${sentBytes}`;
}
