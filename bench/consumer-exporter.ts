import { pino } from 'pino';

/** The exporter as it is built, on a Redis or as statsdb; says when it has counted `count` events. */
const [kind, port, count, ...shard] = process.argv.slice(2);
const dist = new URL('../dist/', import.meta.url).pathname;
const { createSources } = await import(`${dist}sources/create-sources.js`);
const { parseCommandLine } = await import(`${dist}config/command-line.js`);
const { Servers } = await import(`${dist}domain/servers.js`);
const { Tracker } = await import(`${dist}domain/tracker.js`);
const { createUserName } = await import(`${dist}domain/user.js`);

const flag =
  kind === 'redis'
    ? ['--redis.url', `redis://127.0.0.1:${port}`]
    : ['--statsdb.listen-address', `127.0.0.1:${port}`];
const { config } = parseCommandLine([...flag, ...shard], {});
const tracker = new Tracker({
  groupBy: 'user',
  lingerMs: 5000,
  userName: createUserName(config.users),
  newSessionId: () => 'bench',
  maxUsers: 1e6,
  maxRealms: 1000,
  shard: config.shard,
});
const nowMs = (): number => performance.timeOrigin + performance.now();
const sources = await createSources(config, {
  sink: tracker,
  servers: new Servers({ ledger: tracker.ledger, forgetAfterMs: 3_600_000 }),
  serverName: (address: string) => address,
  nowMs,
  log: pino({ level: 'silent' }),
});
for (const source of sources.all) await source.start();
const { stats } = sources.all[0];
const watch = setInterval(() => {
  tracker.expire(nowMs(), 500);
  const events = stats.events.new + stats.events.traffic + stats.events.traffic_peer;
  if (events < Number(count)) return;
  clearInterval(watch);
  process.stdout.write('done\n');
}, 20);
process.on('SIGINT', () => process.exit(0));
const ready = setInterval(() => {
  if (!sources.all[0].status().ready) return;
  clearInterval(ready);
  process.stdout.write('ready\n');
}, 20);
