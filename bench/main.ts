import { benchRedisIngest, benchStatsdbIngest } from './ingest.ts';
import { benchMemory, benchScale, benchScrape } from './live.ts';
import { benchReader } from './reader.ts';
import { benchShards } from './shards.ts';
import { benchStart } from './start.ts';

/** `npm run bench [name …]`: each line is a ratio against a peer measured in the same run. */
const BENCHES: Readonly<Record<string, () => string | Promise<string>>> = {
  memory: benchMemory,
  reader: benchReader,
  redis: () => benchRedisIngest(1_000_000),
  statsdb: () => benchStatsdbIngest(5_000_000),
  scale: benchScale,
  scrape: benchScrape,
  shards: benchShards,
  start: benchStart,
};

const wanted = process.argv.slice(2);
for (const [name, run] of Object.entries(BENCHES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stdout.write(`${await run()}\n`);
}
