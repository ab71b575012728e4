/** What stands where a secret was. */
const REDACTED = '***';

/**
 * Free text (a log line, an error of a library) without credentials: what stands between `://` and
 * the last `@` of the same word is replaced, and so is every string of `secrets`, as it is and
 * percent-encoded. Empty secrets are ignored.
 */
export function redact(text: string, secrets: Iterable<string> = []): string {
  let result = text;
  for (const secret of secrets) {
    if (secret !== '') {
      result = result.replaceAll(secret, REDACTED).replaceAll(percentEncoded(secret), REDACTED);
    }
  }
  return result.replace(/(:\/\/)\S*@/g, `$1${REDACTED}@`);
}

/**
 * One connection URL, valid or not, without credentials. Cuts more than needed rather than less:
 * all up to the last `@` but the scheme, the query, and whatever stands where a port belongs
 * without being one (`redis://user:secret` is what a forgotten host looks like).
 */
export function redactUrl(text: string): string {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(text)?.[0] ?? '';
  const rest = text.slice(scheme.length);
  const at = rest.lastIndexOf('@');
  const userInfo = at < 0 ? '' : `${REDACTED}@`;
  const [address = '', ...query] = rest.slice(at + 1).split('?');
  const path = address.search(/[/#]/);
  const hosts = path < 0 ? address : address.slice(0, path);
  // Without a scheme this is no URL at all, and nothing tells which part of it is a secret.
  if (scheme === '' && at < 0 && hosts.includes(':')) {
    return REDACTED;
  }
  const tail = path < 0 ? '' : redactTail(address.slice(path), userInfo !== '');
  return `${scheme}${userInfo}${redactPorts(hosts)}${tail}${query.length > 0 ? `?${REDACTED}` : ''}`;
}

/** `host:6379,host:secret` → `host:6379,host:***`; brackets around IPv6 addresses are respected. */
function redactPorts(hosts: string): string {
  return hosts
    .split(',')
    .map((host) => {
      const [, name = host, port] = /^(\[[^\]]*\]|[^:]*):(.*)$/su.exec(host) ?? [];
      const isPort = port === undefined || port === '' || (name !== '' && /^\d{1,5}$/.test(port));
      return isPort ? host : `${name}:${REDACTED}`;
    })
    .join(',');
}

/** A raw `/` or `#` in a password with no `@` after it ends up in the path: only plain ones stay. */
function redactTail(tail: string, hasUserInfo: boolean): string {
  return hasUserInfo || /^[\w./#:~-]*$/.test(tail) ? tail : `${tail.charAt(0)}${REDACTED}`;
}

function percentEncoded(secret: string): string {
  try {
    return encodeURIComponent(secret);
  } catch {
    return secret; // a lone surrogate has no UTF-8 form
  }
}
