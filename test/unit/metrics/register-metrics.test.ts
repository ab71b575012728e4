import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { EVENT_KINDS, REJECT_REASONS } from '../../../src/coturn/event.ts';
import { END_REASONS } from '../../../src/domain/ledger.ts';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import { renderRegistry } from '../../../src/metrics/exposition.ts';
import { createRegistry, registerMetrics } from '../../../src/metrics/registry.ts';
import { createStatsdbSource } from '../../../src/sources/statsdb/statsdb-source.ts';
import { REFUSALS } from '../../../src/sources/statsdb/statsdb-stats.ts';
import { parseExposition } from '../../support/exposition.ts';
import { statsdbOptions } from '../sources/statsdb-options.ts';
import { countLooks, mostInOneTurn } from '../turns.ts';
import { BUILD, familiesOf, join, LINGER_MS, Scraped, WALL_OFFSET_MS, type Who } from './scrape.ts';

const ALICE: Who = { realm: 'example.org', username: 'alice' };
const BOB: Who = { realm: 'example.org', username: 'bob', id: 2 };

const REALM_SERVER = ['realm', 'server'];
const REALM_USER = ['realm', 'user'];

/** Design, section 5. */
const TABLE: readonly [name: string, type: string, labels: readonly string[]][] = [
  ...['client', 'peer', 'unallocated'].flatMap((side) =>
    ['received_bytes', 'sent_bytes', 'received_packets', 'sent_packets'].map(
      (what): [string, string, string[]] => [
        `coturn_${side}_${what}_total`,
        'counter',
        REALM_SERVER,
      ],
    ),
  ),
  ['coturn_allocations', 'gauge', [...REALM_SERVER, 'transport']],
  [
    'coturn_allocations_created_total',
    'counter',
    [...REALM_SERVER, 'transport', 'tls', 'ip_family'],
  ],
  ['coturn_allocations_closed_total', 'counter', [...REALM_SERVER, 'reason']],
  ['coturn_allocation_refreshes_total', 'counter', REALM_SERVER],
  ['coturn_sessions', 'gauge', ['realm', 'relayed']],
  ['coturn_server_up', 'gauge', ['server']],
  ['coturn_server_last_event_timestamp_seconds', 'gauge', ['server']],
  ['coturn_sessions_finished_total', 'counter', ['realm', 'reason', 'relayed']],
  ['coturn_session_duration_seconds', 'histogram', ['realm']],
  ['coturn_session_relayed_bytes', 'histogram', ['realm']],
  ['coturn_user_sessions', 'gauge', REALM_USER],
  ['coturn_user_allocations', 'gauge', REALM_USER],
  ['coturn_user_session_start_time_seconds', 'gauge', REALM_USER],
  ['coturn_user_session_received_bytes', 'gauge', REALM_USER],
  ['coturn_user_session_sent_bytes', 'gauge', REALM_USER],
  ['coturn_up', 'gauge', ['source']],
  ['coturn_exporter_events_total', 'counter', ['source', 'event']],
  ['coturn_exporter_events_rejected_total', 'counter', ['source', 'reason']],
  ['coturn_exporter_missed_bytes_total', 'counter', ['source']],
  ['coturn_exporter_allocation_collisions_total', 'counter', ['source']],
  ['coturn_exporter_source_disconnects_total', 'counter', ['source']],
  ['coturn_exporter_resyncs_total', 'counter', ['source']],
  ['coturn_exporter_last_event_timestamp_seconds', 'gauge', ['source']],
  ['coturn_exporter_users', 'gauge', []],
  ['coturn_exporter_user_series_limit', 'gauge', []],
  ['coturn_exporter_records_total', 'counter', ['result']],
  ['coturn_exporter_build_info', 'gauge', ['version', 'revision', 'node_version']],
];

/** Metrics beyond the table. */
const EXTRA: readonly [name: string, type: string, labels: readonly string[]][] = [
  ['coturn_exporter_records_queued', 'gauge', []],
  ['coturn_exporter_records_spilled_total', 'counter', []],
  ['coturn_exporter_records_reopened_total', 'counter', ['reason']],
  ['coturn_exporter_state_bad_lines', 'gauge', []],
  ['coturn_exporter_state_saves_total', 'counter', ['result']],
  ['coturn_exporter_state_saved_timestamp_seconds', 'gauge', []],
  ['coturn_exporter_source_wrong_database', 'gauge', ['source']],
  ['coturn_exporter_source_gap_seconds_total', 'counter', ['source']],
  ['coturn_server_connections', 'gauge', ['server']],
  ['coturn_exporter_statsdb_connections', 'gauge', ['source']],
  ['coturn_exporter_statsdb_connections_refused_total', 'counter', ['source', 'reason']],
  ['coturn_exporter_statsdb_dropped_replies_total', 'counter', ['source']],
  ['coturn_exporter_statsdb_wrong_passwords_total', 'counter', ['source']],
  ['coturn_exporter_web_connections', 'gauge', []],
  ['coturn_exporter_web_refused_total', 'counter', ['reason']],
  ['coturn_exporter_web_config_good', 'gauge', []],
  ['coturn_exporter_web_config_reloads_total', 'counter', ['result']],
];

/** One session finished, one live. */
async function scrapeAfterCalls(): Promise<string> {
  const scraped = new Scraped().begin(ALICE).relay(ALICE, { received: 100, sent: 200 }).end(ALICE);
  return scraped
    .pass(LINGER_MS + 1)
    .begin(BOB)
    .text();
}

async function scrapeWithStatsdb(): Promise<string> {
  const scraped = new Scraped();
  const statsdb = createStatsdbSource({
    ...statsdbOptions(),
    servers: scraped.servers,
    listen: { host: '127.0.0.1', port: 0 },
    sink: scraped.tracker,
    stats: new SourceStats('statsdb', 'connection'),
    nowMs: () => 0,
    log: pino({ level: 'silent' }),
  });
  const registry = createRegistry();
  registerMetrics(registry, {
    tracker: scraped.tracker,
    servers: scraped.servers,
    sources: { all: [statsdb], statsdb: [statsdb] },
    records: scraped.records,
    state: scraped.state,
    web: scraped.web,
    build: BUILD,
    maxUsers: 100,
    nowMs: () => scraped.nowMs,
    wallOffsetMs: () => WALL_OFFSET_MS,
  });
  return join(renderRegistry(registry, 'text'));
}

describe('registerMetrics', () => {
  it.each(TABLE)('has %s, a %s of %j', async (name, type, labels) => {
    const text = await scrapeAfterCalls();
    const family = familiesOf(text).find((shown) => shown.name === name);
    expect(family?.type).toBe(type);
    const own = new Set(family?.lines.map((line) => /^\w+/.exec(line)?.[0] ?? ''));
    const samples = parseExposition(text).samples.filter((sample) => own.has(sample.name));
    expect(samples.length).toBeGreaterThan(0);
    for (const sample of samples) {
      const names = Object.keys(sample.labels).filter((label) => label !== 'le');
      expect(names.toSorted()).toEqual(labels.toSorted());
    }
  });

  it('has no metric of coturn that is not in the table', async () => {
    const known = new Set([...TABLE, ...EXTRA].map(([name]) => name));
    const names = familiesOf(await scrapeAfterCalls()).map(({ name }) => name);
    expect(names.filter((name) => name.startsWith('coturn_') && !known.has(name))).toEqual([]);
  });

  it('has the metrics of process and runtime', async () => {
    const names = familiesOf(await scrapeAfterCalls()).map(({ name }) => name);
    expect(names).toContain('process_cpu_seconds_total');
    expect(names).toContain('process_start_time_seconds');
    expect(names).toContain('nodejs_heap_size_used_bytes');
    expect(names).toContain('nodejs_eventloop_lag_seconds');
  });

  it('has every label of a closed set at 0 before anything happens', async () => {
    const metrics = parseExposition(await new Scraped().text());
    const source = 'redis';
    for (const event of EVENT_KINDS) {
      expect(metrics.value('coturn_exporter_events_total', { source, event })).toBe(0);
    }
    for (const reason of REJECT_REASONS) {
      expect(metrics.value('coturn_exporter_events_rejected_total', { source, reason })).toBe(0);
    }
    for (const result of ['written', 'failed']) {
      expect(metrics.value('coturn_exporter_records_total', { result })).toBe(0);
    }
    for (const name of [
      'coturn_exporter_missed_bytes_total',
      'coturn_exporter_allocation_collisions_total',
      'coturn_exporter_source_disconnects_total',
      'coturn_exporter_resyncs_total',
      'coturn_exporter_last_event_timestamp_seconds',
    ]) {
      expect(metrics.value(name, { source })).toBe(0);
    }
    for (const result of ['saved', 'failed']) {
      expect(metrics.value('coturn_exporter_state_saves_total', { result })).toBe(0);
    }
    expect(metrics.value('coturn_exporter_source_wrong_database', { source })).toBe(0);
    expect(metrics.value('coturn_exporter_users')).toBe(0);
    expect(metrics.value('coturn_exporter_records_queued')).toBe(0);
  });

  it('has every label of a closed set at 0 for a realm and server just seen', async () => {
    const metrics = parseExposition(await new Scraped().begin(ALICE).text());
    const realm = 'example.org';
    const server = '192.0.2.1';
    for (const reason of END_REASONS) {
      expect(metrics.value('coturn_allocations_closed_total', { realm, server, reason })).toBe(0);
      for (const relayed of ['true', 'false']) {
        const labels = { realm, reason, relayed };
        expect(metrics.value('coturn_sessions_finished_total', labels)).toBe(0);
      }
    }
    for (const [name, type] of TABLE.slice(0, 12)) {
      expect([type, metrics.value(name, { realm, server })]).toEqual(['counter', 0]);
    }
    expect(metrics.value('coturn_allocation_refreshes_total', { realm, server })).toBe(0);
  });

  it('has the histograms of a realm at 0 from its first session on', async () => {
    const metrics = parseExposition(await new Scraped().begin(ALICE).text());
    const realm = 'example.org';
    expect(metrics.value('coturn_session_duration_seconds_count', { realm })).toBe(0);
    expect(metrics.value('coturn_session_relayed_bytes_count', { realm })).toBe(0);
  });

  it('tells how each server is by itself', async () => {
    const scraped = new Scraped().begin(ALICE);
    const connected = scraped.servers.connected('turn-1');
    connected.join();
    connected.hear(scraped.nowMs);
    const nowSeconds = (scraped.nowMs + WALL_OFFSET_MS) / 1000;
    const metrics = parseExposition(await scraped.text());
    for (const server of ['turn-1', '192.0.2.1']) {
      expect(metrics.value('coturn_server_up', { server })).toBe(1);
      const heard = metrics.value('coturn_server_last_event_timestamp_seconds', { server });
      expect(heard).toBe(nowSeconds);
    }
    const connections = metrics.select('coturn_server_connections');
    expect(connections).toMatchObject([{ labels: { server: 'turn-1' }, value: 1 }]);
  });

  it('looks at few pairs of realm and server in one turn of the event loop', async () => {
    const scraped = new Scraped();
    const { ledger } = scraped.tracker;
    for (let pair = 0; pair < 10_000; pair += 1) {
      const account = ledger.server(ledger.realm(`r${pair % 10}`), `s${Math.floor(pair / 10)}`);
      account.countCreated('udp', 'none', 'ipv4');
      account.changeLive('udp', 1);
    }
    const looks = countLooks(ledger);
    expect(scraped.servers.list(0)).toHaveLength(1_000);
    expect(looks()).toBe(0);
    const end = mostInOneTurn(looks);
    const metrics = parseExposition(await scraped.text());
    expect(end()).toBeLessThanOrEqual(2_000);
    expect(metrics.select('coturn_allocations')).toHaveLength(10_000);
    expect(looks()).toBeGreaterThan(100_000);
  });

  it('has the counters of the embedded statsdb at 0', async () => {
    const metrics = parseExposition(await scrapeWithStatsdb());
    const source = 'statsdb';
    expect(metrics.value('coturn_up', { source })).toBe(0);
    expect(metrics.value('coturn_exporter_statsdb_connections', { source })).toBe(0);
    expect(metrics.value('coturn_exporter_statsdb_dropped_replies_total', { source })).toBe(0);
    const refused = metrics.select('coturn_exporter_statsdb_connections_refused_total', { source });
    expect(refused.map(({ labels, value }) => [labels['reason'], value])).toEqual(
      REFUSALS.map((reason) => [reason, 0]),
    );
  });

  it('shows whether a source is up now', async () => {
    const scraped = new Scraped();
    const up = async () =>
      parseExposition(await scraped.text()).value('coturn_up', { source: 'redis' });
    expect(await up()).toBe(1);
    scraped.isUp = false;
    expect(await up()).toBe(0);
  });

  it('counts messages by what they are', async () => {
    const scraped = new Scraped()
      .begin(ALICE)
      .relay(ALICE, { received: 100, sent: 200 })
      .end(ALICE)
      .send('__XXX__', 'xxx')
      .send('turn/realm/x', 'new');
    const metrics = parseExposition(await scraped.text());
    const counted = metrics
      .select('coturn_exporter_events_total')
      .map(({ labels, value }) => [labels['event'], value]);
    expect(Object.fromEntries(counted)).toEqual({
      new: 1,
      refreshed: 0,
      deleted: 1,
      traffic: 1,
      traffic_peer: 1,
      total_traffic: 0,
      total_traffic_peer: 0,
      other: 1,
    });
    expect(metrics.sum('coturn_exporter_events_rejected_total')).toBe(1);
  });

  it('shows the newest event in Unix time', async () => {
    const scraped = new Scraped();
    scraped.nowMs = 7_250;
    const metrics = parseExposition(await scraped.begin(ALICE).text());
    expect(metrics.value('coturn_exporter_last_event_timestamp_seconds')).toBe(
      (WALL_OFFSET_MS + 7_250) / 1000,
    );
  });

  it('shows what runs', async () => {
    const [info] = parseExposition(await new Scraped().text()).select('coturn_exporter_build_info');
    expect(info).toEqual({
      name: 'coturn_exporter_build_info',
      labels: { version: '1.2.3', revision: 'abc1234', node_version: 'v20.0.0' },
      value: 1,
    });
  });

  it('shows the records written, failed and queued', async () => {
    const scraped = new Scraped();
    Object.assign(scraped.records, { written: 7, failed: 2, queued: 3 });
    const metrics = parseExposition(await scraped.text());
    expect(metrics.value('coturn_exporter_records_total', { result: 'written' })).toBe(7);
    expect(metrics.value('coturn_exporter_records_total', { result: 'failed' })).toBe(2);
    expect(metrics.value('coturn_exporter_records_queued')).toBe(3);
  });

  it('brings gauges of live state down to 0 and keeps counters', async () => {
    const scraped = new Scraped().begin(ALICE).begin(BOB);
    const live = parseExposition(await scraped.text());
    const place = { realm: 'example.org', server: '192.0.2.1' };
    expect(live.value('coturn_allocations', { ...place, transport: 'udp' })).toBe(2);
    expect(live.sum('coturn_sessions', { realm: 'example.org' })).toBe(2);

    scraped
      .end(ALICE)
      .end(BOB)
      .pass(LINGER_MS + 1);
    const after = parseExposition(await scraped.text());
    expect(after.value('coturn_allocations', { ...place, transport: 'udp' })).toBe(0);
    expect(after.sum('coturn_sessions', { realm: 'example.org' })).toBe(0);
    expect(after.value('coturn_exporter_users')).toBe(0);
    expect(after.samples.filter(({ name }) => name.startsWith('coturn_user_'))).toEqual([]);
    expect(after.value('coturn_allocations_closed_total', { ...place, reason: 'deleted' })).toBe(2);
    expect(after.sum('coturn_allocations_created_total', place)).toBe(2);
  });

  it('observes a finished session once, in both histograms', async () => {
    const scraped = new Scraped().begin(ALICE).relay(ALICE, { received: 400, sent: 500 });
    scraped
      .pass(2_500)
      .end(ALICE)
      .pass(LINGER_MS + 1);
    const metrics = parseExposition(await scraped.text());
    const realm = 'example.org';
    expect(metrics.value('coturn_session_duration_seconds_count', { realm })).toBe(1);
    expect(metrics.value('coturn_session_duration_seconds_sum', { realm })).toBe(2.5);
    expect(metrics.value('coturn_session_duration_seconds_bucket', { realm, le: '1' })).toBe(0);
    expect(metrics.value('coturn_session_duration_seconds_bucket', { realm, le: '5' })).toBe(1);
    expect(metrics.value('coturn_session_relayed_bytes_count', { realm })).toBe(1);
    expect(metrics.value('coturn_session_relayed_bytes_sum', { realm })).toBe(900);
  });

  it('sums realms beyond the cap as other', async () => {
    const scraped = new Scraped({ maxRealms: 1 });
    for (const [id, realm] of ['a', 'b', 'c'].entries()) {
      scraped.begin({ realm, username: 'alice', id: id + 1 });
    }
    const shown = parseExposition(await scraped.text())
      .select('coturn_sessions', { relayed: 'unknown' })
      .map(({ labels, value }) => [labels['realm'], value]);
    expect(shown).toEqual([
      ['a', 1],
      ['~other', 2],
    ]);
  });

  it('changes nothing by being scraped', async () => {
    const scraped = new Scraped().begin(ALICE).relay(ALICE, { received: 100, sent: 200 });
    const own = async () =>
      familiesOf(await scraped.text()).filter(({ name }) => name.startsWith('coturn_'));
    expect(await own()).toEqual(await own());
  });
});
