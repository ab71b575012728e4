import { describe, expect, it } from 'vitest';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import { Tracker } from '../../../src/domain/tracker.ts';
import { createNameHider } from '../../../src/recording/name-hider.ts';
import { Player } from '../../../src/recording/player.ts';
import { Recorder } from '../../../src/recording/recorder.ts';
import {
  parseRecordedLine,
  type RecordedLine,
  RecordingError,
} from '../../../src/recording/recording.ts';
import type { ScanSink } from '../../../src/sources/source.ts';

const KEY = 'turn/realm/example.org/user/alice/allocation/001000000000000001';
const NEW = 'new lifetime=600';

function createRecorder(startMs = 1000) {
  const lines: RecordedLine[] = [];
  let nowMs = startMs;
  const recorder = new Recorder({ write: (line) => lines.push(line), nowMs: () => nowMs });
  return {
    lines,
    recorder,
    at(ms: number) {
      nowMs = ms;
      return ms;
    },
  };
}

/** What happens to a source: an adopted allocation, a gap, a restart, a message. */
function happen(sink: ScanSink, at: (ms: number) => number): void {
  const redis = sink.openOrigin(new SourceStats('redis', 'status'), 'redis');
  const scan = sink.beginScan(redis, at(1010));
  scan.found(`${KEY}/status`, NEW, at(1020));
  scan.end(true);
  sink.noteGap(redis, { fromMs: at(1100), toMs: at(1500) });
  sink.noteGap(redis);
  sink.receive(redis, `${KEY}/status`, 'deleted', at(2000));
  const statsdb = sink.openOrigin(new SourceStats('statsdb', 'connection'), '10.0.0.1');
  sink.receive(statsdb, `${KEY}/status`, NEW, at(2500));
  sink.suspectAll(statsdb);
  sink.endSuspects(statsdb, { lostMs: at(2400), nowMs: at(2600) });
}

describe('Recorder', () => {
  it('writes down messages, readings of status keys, gaps and restarts', () => {
    const { lines, recorder, at } = createRecorder();
    happen(recorder, at);
    const redis = { source: 'redis' };
    const statsdb = { source: 'statsdb', server: '10.0.0.1' };
    expect(lines).toEqual([
      { t: 10, ...redis, event: 'scan_begin' },
      { t: 20, ...redis, event: 'scan_key', channel: `${KEY}/status`, message: NEW },
      { t: 20, ...redis, event: 'scan_end', partial: true },
      { t: 500, ...redis, event: 'gap', from: 100 },
      { t: 500, ...redis, event: 'gap' },
      { t: 1000, ...redis, channel: `${KEY}/status`, message: 'deleted' },
      { t: 1500, ...statsdb, channel: `${KEY}/status`, message: NEW },
      { t: 1500, ...statsdb, event: 'restart' },
      { t: 1600, ...statsdb, event: 'dead', from: 1400 },
    ]);
    at(3000);
    expect(recorder.endLine()).toEqual({ t: 2000, event: 'end' });
  });

  it('hides the names of messages, keys and servers', () => {
    const lines: RecordedLine[] = [];
    const hider = createNameHider();
    const recorder = new Recorder({ write: (line) => lines.push(line), nowMs: () => 1000, hider });
    happen(recorder, (ms) => ms);
    expect(JSON.stringify(lines)).not.toMatch(/alice|example|redis|10\.0\.0\.1"/);
  });

  it('lists no keys, and leaves nothing to the short way of traffic', () => {
    const { recorder } = createRecorder();
    expect([...recorder.statusKeys()]).toEqual([]);
    expect(recorder.receiveDelta()).toBe(false);
  });
});

describe('Player', () => {
  it('does to a tracker what the sources did', () => {
    const { lines, recorder, at } = createRecorder();
    happen(recorder, at);
    const [live, played] = [createTracker(), createTracker()];
    const player = new Player(played);
    // At times since the start, as a recording has them.
    happen(live, (ms) => ms - 1000);
    for (const line of [...lines, recorder.endLine()]) player.play(parseAgain(line));
    const sessions = finish(played);
    expect(sessions).toEqual(finish(live));
    expect(sessions).toMatchObject([
      { reason: 'deleted', server: 'redis', startKnown: false },
      { reason: 'restarted', server: '10.0.0.1', startKnown: true },
    ]);
    expect(player.sources.map(({ name, serverFrom }) => [name, serverFrom])).toEqual([
      ['redis', 'status'],
      ['statsdb', 'connection'],
    ]);
    expect(player.sources[0]?.resyncs).toBe(1);
  });
});

describe('parseRecordedLine', () => {
  it.each([
    '{"t":1,"channel":"turn/user/a","message":""}',
    '{"t":1072.7,"channel":"\ufffd","channel_b64":"/w==","message":"deleted"}',
    '{"t":0,"source":"redis","event":"gap","from":-5}',
  ])('takes %s', (text) => {
    expect(parseRecordedLine(text)).toEqual(JSON.parse(text));
  });

  it('takes a header', () => {
    const header = {
      recording: 1,
      exporter: '0.1.0',
      start: '2026-11-21T19:00:00.000Z',
      hidden: true,
    };
    expect(parseRecordedLine(JSON.stringify(header))).toEqual(header);
  });

  it.each([
    ['', 'expected a line of JSON'],
    ['turn/user/a deleted', 'expected a line of JSON'],
    ['7', 'expected an object'],
    ['null', 'expected an object'],
    ['{"recording":2,"start":"2026-11-21T19:00:00Z"}', 'expected a recording of format 1'],
    ['{"recording":1,"start":"once"}', 'expected a recording of format 1'],
    ['{"channel":"a","message":"b"}', 'expected t'],
    ['{"t":"1","channel":"a","message":"b"}', 'expected t'],
    ['{"t":1,"channel":"a"}', 'expected t'],
    ['{"t":1,"channel":7,"message":"b"}', 'expected t'],
    ['{"t":1,"event":"party"}', 'expected t'],
    ['{"t":1,"event":"scan_key"}', 'expected t'],
    ['{"t":1,"event":"gap","from":"now"}', 'expected t'],
    ['{"t":1,"event":"gap","server":3}', 'expected t'],
  ])('refuses %j', (text, message) => {
    expect(() => parseRecordedLine(text)).toThrow(RecordingError);
    expect(() => parseRecordedLine(text)).toThrow(message);
  });
});

function createTracker(): Tracker {
  return new Tracker({
    groupBy: 'allocation',
    lingerMs: 0,
    userName: (username) => username,
    newSessionId: () => '',
    maxUsers: 10,
    maxRealms: 10,
  });
}

function finish(tracker: Tracker) {
  tracker.shutdown(2000);
  return tracker.sessions.takeFinished().map((session) => ({
    reason: session.endReason,
    server: session.servers,
    startKnown: session.startKnown,
    complete: session.complete,
    gapMs: session.gapMs,
  }));
}

/** As a file has it. */
function parseAgain(line: RecordedLine): RecordedLine {
  return JSON.parse(JSON.stringify(line));
}
