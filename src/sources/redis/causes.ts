/** Why a Redis or a Sentinel cannot be used, and what to do about it; without secrets. */
export interface Cause {
  readonly finding: string;
  readonly fix: string;
}

/** Where a connection went to. */
export interface Where {
  readonly isTls: boolean;
  readonly role: 'Redis' | 'Sentinel';
  /** `host:port`. */
  readonly at: string;
}

/** A server that does not answer our greeting of TLS. */
const NO_TLS_ANSWER: Cause = {
  finding: 'no answer to the greeting of TLS: that port most likely speaks none',
  fix: 'write the port on which it speaks TLS (tls-port) in --redis.url',
};

const ISSUE_CERTIFICATE =
  'give one that it trusts with --redis.tls-cert-file and --redis.tls-key-file';

/** What a failure looks like, and what to do about it; the first that matches is told. */
const CAUSES: readonly (readonly [pattern: RegExp, finding: string, fix: string])[] = [
  [
    /ECONNREFUSED/,
    'connection refused',
    'start it there, let it listen on that address (bind), or correct --redis.url',
  ],
  [
    /ENOTFOUND|EAI_AGAIN/,
    'the host name is not known',
    'correct the host in --redis.url, or the name service of this machine',
  ],
  // TLS: our side of it.
  [
    /CERT_HAS_EXPIRED/,
    'its certificate has expired',
    'renew the certificate of that server (tls-cert-file), or set the clock of this machine',
  ],
  [
    /CERT_NOT_YET_VALID/,
    'its certificate is not valid yet',
    'set the clocks of both machines, or wait until it is',
  ],
  [
    /altname|Hostname\/IP does not match/i,
    'its certificate is for another name',
    'use a name in the certificate as the host of --redis.url',
  ],
  [
    /SELF_SIGNED|self.signed|UNABLE_TO|unable to (?:verify|get)|CERT_UNTRUSTED|CERT_SIGNATURE/i,
    'its certificate is not trusted',
    'give the authority that signed it with --redis.tls-ca-file',
  ],
  [
    /INVALID_PURPOSE|unsupported certificate purpose/i,
    'its certificate is not one for servers',
    'issue one with the extended key usage serverAuth',
  ],
  [
    /KEY_VALUES_MISMATCH|key values mismatch/i,
    'the key is not the one of the client certificate',
    'give the key of --redis.tls-cert-file with --redis.tls-key-file',
  ],
  // TLS: alerts of the other side.
  [
    /alert certificate expired/i,
    'our client certificate has expired',
    'renew the one in --redis.tls-cert-file; it is read again on every connection',
  ],
  [
    /alert (?:unknown ca|bad certificate|decrypt error|certificate unknown|access denied)/i,
    'it does not trust our client certificate',
    'give one that its tls-ca-cert-file signed with --redis.tls-cert-file and --redis.tls-key-file',
  ],
  [
    /alert unsupported certificate/i,
    'our client certificate is not one for clients',
    'issue one with the extended key usage clientAuth',
  ],
  [
    /certificate required|alert handshake failure/i,
    'it asks for a client certificate',
    ISSUE_CERTIFICATE,
  ],
  [
    /alert protocol version|unsupported protocol/i,
    'it speaks no version of TLS that we speak',
    'permit TLSv1.2 or TLSv1.3 there (tls-protocols)',
  ],
  [
    /wrong version number|packet length too long|http request|before secure TLS/i,
    'it does not speak TLS on that port',
    'write the port on which it speaks TLS (tls-port) in --redis.url',
  ],
  [
    /plain to TLS|got "\\u0015"/,
    'it expects TLS on that port',
    'write rediss:// instead of redis:// in --redis.url',
  ],
  // Redis itself.
  [
    /WRONGPASS|invalid password|invalid username/i,
    'user or password is wrong',
    'correct {password} (special characters of a URL are percent-encoded)',
  ],
  [/NOAUTH/, 'a password is asked for, and none was given', 'give it with {password}'],
  [
    /DENIED/,
    'it is in protected mode and talks to its own machine only',
    'set a password there (requirepass) and give it with {password}',
  ],
  [/LOADING/, 'it is still loading its data', 'wait until it has started'],
  [/max number of clients/i, 'it has too many clients', 'raise maxclients there'],
  [
    /NOPERM.*channel/i,
    'the ACL denies to subscribe to turn/realm/* and turn/user/*',
    'permit &turn/realm/* &turn/user/*',
  ],
  [/NOPERM/, 'the ACL denies a command', 'permit it, as coturn-exporter doctor says'],
  [
    /Protocol error|ParserError|Redis protocol/i,
    'what answers there is no Redis',
    'correct the port in --redis.url',
  ],
  [
    /ETIMEDOUT|timed out|EHOSTUNREACH|ENETUNREACH/i,
    'no answer in time',
    'open the port in firewalls and security groups, or correct --redis.url',
  ],
  [
    /ECONNRESET|EPIPE|closed|hang up|ECONNABORTED/i,
    'it hangs up at once',
    'look at maxclients and at its log',
  ],
];

/** @param reason what the network, TLS or Redis said */
export function causeOf(reason: string, { isTls, role, at }: Where): Cause {
  const who = role === 'Sentinel' ? `Sentinel ${at}` : at;
  const password =
    role === 'Sentinel'
      ? '--redis.sentinel-password-file'
      : '--redis.password-file or in --redis.url';
  if (isTls && /ETIMEDOUT|timed out/i.test(reason)) {
    return { ...NO_TLS_ANSWER, finding: `${NO_TLS_ANSWER.finding} (${who})` };
  }
  for (const [pattern, finding, fix] of CAUSES) {
    if (!pattern.test(reason)) continue;
    // What Redis itself says is worth more than our words for it.
    const said = /^[A-Z]+ /.exec(reason) && /NOPERM|WRONGPASS|NOAUTH/.test(reason);
    const quoted = said ? `: ${reason.trim()}` : '';
    return { finding: `${finding}${quoted} (${who})`, fix: fix.replace('{password}', password) };
  }
  return { finding: `${reason.trim()} (${who})`, fix: 'correct --redis.url' };
}

/** Whether Redis refuses a command to this user, or to everybody as managed ones do. */
export function isDenied(reason: string): boolean {
  return /^NOPERM|^ERR unknown command|^ERR .*not (?:allowed|supported|permitted)/i.test(reason);
}
