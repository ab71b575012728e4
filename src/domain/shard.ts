/** Which part of the users a replica accounts for: `--shard.index` of `--shard.total`. */
export interface Shard {
  readonly index: number;
  readonly total: number;
}

/** Whether a user falls to a shard; each falls to exactly one of `total`. */
export function isInShard(realm: string, userName: string, { index, total }: Shard): boolean {
  return total === 1 || hashOf(`${realm.length} ${realm} ${userName}`) % total === index;
}

/** FNV-1a over UTF-16 units: the same on every machine and in every version. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return (hash ^ (hash >>> 16)) >>> 0;
}
