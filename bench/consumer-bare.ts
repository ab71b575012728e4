import { Redis } from 'ioredis';

/** Counts messages and does nothing else; exits after `count` of them. */
const [port, count] = process.argv.slice(2).map(Number);
const redis = new Redis({ host: '127.0.0.1', port: port ?? 0 });
let received = 0;
redis.on('pmessage', () => {
  received += 1;
  if (received === count) process.stdout.write('done\n');
});
await redis.psubscribe('turn/realm/*', 'turn/user/*');
process.stdout.write('ready\n');
