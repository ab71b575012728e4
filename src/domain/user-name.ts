/** What a username is mapped by. */
export interface UserNameOptions {
  /** `--user.label`. `none` groups sessions as `userid` does; it only makes no series. */
  readonly label: 'userid' | 'raw' | 'none';
  /** Stands between expiry and user id in names of the TURN REST API; coturn's default is `:`. */
  readonly restSeparator: string;
}

/**
 * A Unix time of ten digits or more. A REST name whose expiry is older (before 2001) has never been
 * valid, so shorter numbers are part of a static name such as `12:bob`.
 */
const EXPIRY = /^[0-9]{10,20}$/;

/**
 * Makes the mapping from the username that coturn publishes to the name of the user behind it.
 *
 *     1795306257:user1  →  user1        the TURN REST API's `expiry:userid`
 *
 * Source: draft-uberti-behave-turn-rest-00 §2.2; coturn's `--rest-api-separator`.
 */
export function createUserName(options: UserNameOptions): (username: string) => string {
  const { label, restSeparator } = options;
  if (label === 'raw' || restSeparator === '') return (username) => username;
  return (username) => {
    const at = username.indexOf(restSeparator);
    if (at < 0 || !EXPIRY.test(username.slice(0, at))) return username;
    return username.slice(at + restSeparator.length);
  };
}
