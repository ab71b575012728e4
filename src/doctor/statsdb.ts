import { Redis } from 'ioredis';
import { formatHostPort } from '../config/values.ts';
import { type Diagnosis, type Finding, fail, ok, warn } from './report.ts';
import { parseTurnserverConf, type StatsdbSetting } from './turnserver-conf.ts';

/** A coturn configuration to be examined. */
export interface StatsdbQuestion {
  /** Path of the file, for people. */
  readonly file: string;
  readonly text: string;
  /** Lines of `turnserver.conf`, each of which connects a coturn to the exporter. */
  readonly lines: readonly string[];
}

/** How long a connection or an answer may take, in ms. */
const PATIENCE_MS = 5_000;
const ANY_HOST = new Set(['', '0.0.0.0', '::']);

/**
 * Asks where the `redis-statsdb` of a coturn points whether an exporter is there, as coturn would:
 * with its password. Publishes nothing. Never throws.
 */
export async function diagnoseStatsdb(question: StatsdbQuestion): Promise<Diagnosis> {
  const { file, text, lines } = question;
  const wanted = `put into ${file}: ${lines.join(' or ')}`;
  const settings = parseTurnserverConf(text);
  const setting = settings.at(-1);
  if (setting === undefined) {
    return { source: file, findings: [fail('redis-statsdb', 'is not set', wanted)] };
  }
  const findings = [...judgeSetting(setting, settings.length)];
  findings.push(await judgePeer(setting, wanted));
  return { source: file, findings };
}

function judgeSetting(setting: StatsdbSetting, count: number): Finding[] {
  const { lineNumber, address, db, unknown } = setting;
  const where = `line ${lineNumber}: ${formatHostPort(address)}, database ${db}`;
  const findings: Finding[] = [];
  if (count > 1) {
    findings.push(warn('redis-statsdb', `set ${count} times, ${where} holds`, 'leave one of them'));
  } else {
    findings.push(ok('redis-statsdb', where));
  }
  if (unknown.length > 0) {
    const words = unknown.join(', ');
    findings.push(warn('words', `coturn may refuse the line for ${words}`, `leave out ${words}`));
  }
  if (ANY_HOST.has(address.host)) {
    findings.push(
      fail('address', `${address.host} is no address to connect to`, 'name that of the exporter'),
    );
  }
  return findings;
}

/** What answers at the address: an exporter, a Redis, or nobody. */
async function judgePeer(setting: StatsdbSetting, wanted: string): Promise<Finding> {
  const at = formatHostPort(setting.address);
  const answer = await askInfo(setting);
  if (answer.info === undefined) return explainSilence(answer.reason, at, wanted);
  if (/^coturn_exporter:1/m.test(answer.info)) {
    return ok('exporter', `coturn-exporter answers at ${at} and takes the password`);
  }
  const [, version = 'unknown'] = /^redis_version:(\S+)/m.exec(answer.info) ?? [];
  const scheme = setting.tls ? 'rediss' : 'redis';
  return warn(
    'exporter',
    `a Redis ${version} answers at ${at}, and no exporter`,
    `start the exporter with --redis.url ${scheme}://${at}/${setting.db}, try it with doctor --redis.url, or ${wanted}`,
  );
}

/** The answer to INFO, or why there is none. */
interface Answer {
  readonly info?: string;
  readonly reason: string;
}

async function askInfo({ address, password, tls }: StatsdbSetting): Promise<Answer> {
  const redis = new Redis({
    ...address,
    ...(password === undefined ? {} : { password }),
    // Whom the certificate is for is a question of coturn's.
    ...(tls ? { tls: { rejectUnauthorized: false } } : {}),
    lazyConnect: true,
    connectTimeout: PATIENCE_MS,
    commandTimeout: PATIENCE_MS,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let first = '';
  redis.on('error', (error: Error & { code?: string }) => {
    if (first === '') first = `${error.code ?? ''} ${error.message}`.trim();
  });
  try {
    await redis.connect();
    const info = await redis.info();
    return first === '' ? { info, reason: '' } : { reason: first };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { reason: first === '' ? reason : first };
  } finally {
    redis.disconnect();
  }
}

/** What a failure looks like, and what to do about it; the first that matches is told. */
function explainSilence(reason: string, at: string, wanted: string): Finding {
  if (/WRONGPASS|invalid password|NOAUTH/i.test(reason)) {
    const same =
      'write the password of --statsdb.password-file, or its own of --statsdb.servers-file, as password=… there';
    return fail('exporter', `the password is refused at ${at}`, same);
  }
  if (/ECONNREFUSED/.test(reason)) {
    const start = `start the exporter there (--statsdb.listen-address), or ${wanted}`;
    return fail('exporter', `nobody listens at ${at}`, start);
  }
  if (/ENOTFOUND|EAI_AGAIN/.test(reason)) {
    return fail('exporter', `the host name is not known (${at})`, wanted);
  }
  if (/ETIMEDOUT|timed out|EHOSTUNREACH|ENETUNREACH/i.test(reason)) {
    return fail(
      'exporter',
      `no answer in time (${at})`,
      `open the port in firewalls, or ${wanted}`,
    );
  }
  return fail('exporter', `what answers at ${at} is no exporter and no Redis (${reason})`, wanted);
}
