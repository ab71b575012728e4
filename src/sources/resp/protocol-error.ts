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
