import { describe, expect, it, vi } from 'vitest';
import { RecordQueue, RecordStats } from '../../../src/records/record-queue.ts';
import { createRecordLog } from '../../../src/records/session-writer.ts';
import { checkRecord } from '../../support/record-schema.ts';
import { LINGER_MS, Scraped, WALL_OFFSET_MS, type Who } from '../metrics/scrape.ts';
import { FakeRecordFile } from './fake-record-file.ts';

const ALICE: Who = {
  realm: 'example.org',
  username: '1795306257:alice',
  type: 'TLS/TCP',
  ssl: 'TLSv1.3',
};

/** Design, section 7, in its order; `attr_*` come with `--user.pattern`. */
const FIELDS: Record<string, 'string' | 'number' | 'boolean'> = {
  level: 'string',
  time: 'string',
  event: 'string',
  schema: 'number',
  session_id: 'string',
  realm: 'string',
  user: 'string',
  username: 'string',
  server: 'string',
  start: 'string',
  end: 'string',
  duration_seconds: 'number',
  reason: 'string',
  relayed: 'boolean',
  complete: 'boolean',
  start_known: 'boolean',
  allocations: 'number',
  transport: 'string',
  tls: 'string',
  client: 'string',
  received_bytes: 'number',
  sent_bytes: 'number',
  received_packets: 'number',
  sent_packets: 'number',
  peer_received_bytes: 'number',
  peer_sent_bytes: 'number',
  peer_received_packets: 'number',
  peer_sent_packets: 'number',
  missed_bytes: 'number',
  gap_seconds: 'number',
};

type RecordOptions = NonNullable<Parameters<typeof createRecordLog>[2]>;

/** The lines written for the sessions that `scraped` has finished. */
async function linesOf(scraped: Scraped, options: RecordOptions = {}): Promise<string[]> {
  const file = new FakeRecordFile();
  const queue = new RecordQueue({
    file,
    stats: new RecordStats(),
    log: { error: vi.fn(), info: vi.fn() },
    spill: vi.fn(),
  });
  const log = createRecordLog(queue, () => WALL_OFFSET_MS, options);
  scraped.nowMs += LINGER_MS + 1;
  scraped.tracker.expire(scraped.nowMs);
  for (const session of scraped.tracker.sessions.takeFinished())
    log.write(session, () => undefined);
  await queue.close(1_000);
  return file.text.split('\n').slice(0, -1);
}

async function recordOf(
  scraped: Scraped,
  options: RecordOptions = {},
): Promise<Record<string, unknown>> {
  const lines = await linesOf(scraped, options);
  expect(lines).toHaveLength(1);
  const record = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  checkRecord(record);
  return record;
}

function finished(who: Who = ALICE): Scraped {
  const scraped = new Scraped().begin(who).relay(who, { received: 400, sent: 500 });
  scraped.nowMs += 2_500;
  return scraped.end(who);
}

describe('createRecordLog', () => {
  it('writes exactly the fields of the design, in its order, as plain values', async () => {
    const record = await recordOf(finished());
    expect(Object.keys(record)).toEqual(Object.keys(FIELDS));
    for (const [field, value] of Object.entries(record)) {
      expect([field, typeof value]).toEqual([field, FIELDS[field]]);
    }
  });

  it('tells what the session was', async () => {
    const { time: _, ...record } = await recordOf(finished());
    expect(record).toEqual({
      level: 'info',
      event: 'session_finished',
      schema: 1,
      session_id: 'session-1',
      realm: 'example.org',
      user: 'alice',
      username: '1795306257:alice',
      server: '192.0.2.1',
      start: '2026-01-01T00:00:01.000Z',
      end: '2026-01-01T00:00:03.500Z',
      duration_seconds: 2.5,
      reason: 'deleted',
      relayed: false,
      complete: true,
      start_known: true,
      allocations: 1,
      transport: 'tls',
      tls: 'TLSv1.3',
      client: '203.0.113.7',
      received_bytes: 400,
      sent_bytes: 500,
      received_packets: 4,
      sent_packets: 5,
      peer_received_bytes: 500,
      peer_sent_bytes: 400,
      peer_received_packets: 5,
      peer_sent_packets: 4,
      missed_bytes: 0,
      gap_seconds: 0,
    });
  });

  it('leaves the address of the client out when told so', async () => {
    const record = await recordOf(finished(), { client: 'none' });
    const { client: _, ...others } = FIELDS;
    expect(Object.keys(record)).toEqual(Object.keys(others));
  });

  it('tells what else was in the name, last', async () => {
    const names = { attributes: (name: string) => ({ tenant: name.slice(-5), odd: '\udcff"' }) };
    const scraped = new Scraped({ names }).begin(ALICE).end(ALICE);
    const record = await recordOf(scraped);
    expect(Object.keys(record).slice(-2)).toEqual(['attr_tenant', 'attr_odd']);
    expect(record).toMatchObject({ user: 'alice', attr_tenant: 'alice', attr_odd: '%FF"' });
  });

  it('has times in RFC 3339 with milliseconds', async () => {
    const record = await recordOf(finished());
    for (const field of ['time', 'start', 'end']) {
      expect(record[field]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
    expect(Math.abs(Date.parse(String(record['time'])) - Date.now())).toBeLessThan(60_000);
  });

  it.each([
    ['quotes and backslashes', 'a"b\\c'],
    ['line breaks', 'a\nb\r\nc\u2028d'],
    ['Unicode', 'żółw 😀'],
    ['a NUL', 'a\0b'],
    ['500 characters', 'x'.repeat(500)],
    ['what looks like fields', '","level":"error","x":"'],
    ['the name of an object property', '__proto__'],
    ['nothing', ''],
  ])('keeps a name with %s, in one line', async (_, name) => {
    const record = await recordOf(finished({ ...ALICE, realm: name, username: name }));
    expect(record).toMatchObject({ level: 'info', realm: name, user: name, username: name });
  });

  it('writes numbers up to 2^53 - 1 in full', async () => {
    const scraped = new Scraped().begin(ALICE);
    scraped.send(
      'turn/realm/example.org/user/1795306257:alice/allocation/000000000000000001/traffic',
      `rcvp=1, rcvb=${Number.MAX_SAFE_INTEGER}, sentp=0, sentb=0`,
    );
    const [line] = await linesOf(scraped.end(ALICE));
    expect(line).toContain('"received_bytes":9007199254740991,');
  });

  it('writes a line for each session, in order', async () => {
    const scraped = new Scraped();
    for (const id of [1, 2, 3]) scraped.begin({ ...ALICE, username: `user-${id}`, id });
    for (const id of [3, 1, 2]) scraped.end({ ...ALICE, username: `user-${id}`, id });
    const users = (await linesOf(scraped)).map(
      (line) => (JSON.parse(line) as { user: string }).user,
    );
    expect(users).toEqual(['user-3', 'user-1', 'user-2']);
  });
});
