/** What one connection may ask a decoder to hold. All byte counts are of the wire, before decoding. */
export interface CommandLimits {
  /** Elements of one command, its name included. */
  readonly maxArguments: number;
  /** Bytes of one argument. */
  readonly maxArgumentBytes: number;
  /** Bytes of one unfinished command, framing included: all that is ever buffered. */
  readonly maxCommandBytes: number;
}

/**
 * For peers that may publish. coturn sends 2 or 3 arguments below 1,600 bytes, but up to 4.6.1 it
 * splits `DEL <key>` at the spaces of a key of up to 509 bytes, which can make 510 arguments. 64 KiB
 * leaves room for any proxy or tool in between; a command is a key and a payload of that size and
 * their framing. 1,000 connections that all stop in mid command hold at most 130 MB.
 */
export const COMMAND_LIMITS: CommandLimits = {
  maxArguments: 1_024,
  maxArgumentBytes: 64 * 1_024,
  maxCommandBytes: 129 * 1_024,
};

/**
 * For peers that have not sent the password yet: Redis 7.0, networking.c, processMultibulkBuffer()
 * allows them 10 arguments of 16 KiB. A password needs no more, and 2,048 strangers hold 35 MB.
 */
export const UNAUTHENTICATED_LIMITS: CommandLimits = {
  maxArguments: 10,
  maxArgumentBytes: 16 * 1_024,
  maxCommandBytes: 17 * 1_024,
};

/** Bytes of one inline command: people and health checks type `PING`, nobody types a kilobyte. */
export const MAX_INLINE_BYTES = 1_024;

/** Digits of an announced length or count; 9,999,999 is beyond every limit above. */
export const MAX_LENGTH_DIGITS = 7;

/**
 * Why the bytes of a connection are not Redis commands, or not ones that are let in. The set is
 * closed: it is a metric label. After any of them the connection cannot be read on.
 */
export const PROTOCOL_ERRORS = [
  'unexpected_byte',
  'expected_bulk',
  'invalid_length',
  'missing_terminator',
  'too_many_arguments',
  'argument_too_long',
  'command_too_long',
  'inline_too_long',
  'inline_malformed',
  'cross_protocol',
] as const;

/** One of {@link PROTOCOL_ERRORS}. */
export type ProtocolError = (typeof PROTOCOL_ERRORS)[number];

const TEXTS: Record<ProtocolError, string> = {
  unexpected_byte: 'unexpected byte at the start of a command',
  expected_bulk: "expected '$'",
  invalid_length: 'invalid length',
  missing_terminator: 'argument is not followed by CRLF',
  too_many_arguments: 'too many arguments',
  argument_too_long: 'argument too long',
  command_too_long: 'command too long',
  inline_too_long: 'too big inline request',
  inline_malformed: 'malformed inline request',
  cross_protocol: 'this is not an HTTP server',
};

/** The words of a protocol error for the peer, without the leading `-`. */
export function protocolErrorText(reason: ProtocolError): string {
  return `ERR Protocol error: ${TEXTS[reason]}`;
}
