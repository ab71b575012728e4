/** Every kind of message a coturn server sends; the `event` label of `coturn_exporter_events_total`. */
export const EVENT_KINDS = [
  'new',
  'refreshed',
  'deleted',
  'traffic',
  'traffic_peer',
  'total_traffic',
  'total_traffic_peer',
  'other',
] as const;

/** One of {@link EVENT_KINDS}. `other` is coturn's keepalive, which says nothing about allocations. */
export type EventKind = (typeof EVENT_KINDS)[number];

/**
 * Why a message could not be read; the `reason` label of `coturn_exporter_events_rejected_total`.
 * The set is closed, so that hostile input cannot make series.
 */
export const REJECT_REASONS = [
  'malformed_key',
  'oversized_key',
  'unknown_topic',
  'malformed_status',
  'malformed_traffic',
  'number_out_of_range',
] as const;

/** One of {@link REJECT_REASONS}. */
export type RejectReason = (typeof REJECT_REASONS)[number];

/** What a parser says of text it cannot read. */
export interface Rejection {
  readonly ok: false;
  readonly reason: RejectReason;
}

/** The state a status message announces. */
export type AllocationStatus =
  | {
      readonly kind: 'new' | 'refreshed';
      /** Seconds until the allocation ends unless refreshed; 0 announces its end. */
      readonly lifetimeSeconds: number;
      /** What only coturn 4.6.0 and later tell; absent before. */
      readonly connection?: Connection;
    }
  | { readonly kind: 'deleted' };

/** What one message says of an allocation. */
export type AllocationEvent =
  | AllocationStatus
  | {
      readonly kind: 'traffic' | 'traffic_peer' | 'total_traffic' | 'total_traffic_peer';
      /** Packets and bytes received, packets and bytes sent. */
      readonly numbers: Float64Array;
    };

/** How a client is connected to the server, as the long status payload tells it. */
export interface Connection {
  readonly transport: Transport;
  /** TLS or DTLS version of the client's connection, `none` without encryption. */
  readonly tls: TlsVersion;
  readonly ipFamily: IpFamily;
  /** `address:port` the client connected to. */
  readonly local: string;
  /** `address:port` the client connected from. */
  readonly remote: string;
}

export const TRANSPORTS = ['udp', 'tcp', 'tls', 'dtls', 'sctp', 'tls_sctp', 'unknown'] as const;
export type Transport = (typeof TRANSPORTS)[number];

export const TLS_VERSIONS = [
  'none',
  'TLSv1',
  'TLSv1.1',
  'TLSv1.2',
  'TLSv1.3',
  'DTLSv1',
  'DTLSv1.2',
  'DTLSv1.3',
  'unknown',
  'other',
] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

export const IP_FAMILIES = ['ipv4', 'ipv6', 'unknown'] as const;
export type IpFamily = (typeof IP_FAMILIES)[number];
