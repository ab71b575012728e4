import { createHmac } from 'node:crypto';

/** A name and its password of the TURN REST API. */
export interface Credentials {
  readonly username: string;
  readonly credential: string;
}

/** What a web service would give `user`: valid for an hour, or for so many seconds (or not any more). */
export function restCredentials(
  user: string,
  { secret, seconds = 3600 }: { readonly secret: string; readonly seconds?: number },
): Credentials {
  const username = `${Math.floor(Date.now() / 1000) + seconds}:${user}`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
}
