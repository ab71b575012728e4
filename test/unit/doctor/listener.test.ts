import type { EventEmitter } from 'node:events';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Listener } from '../../../src/doctor/listener.ts';
import { allocationKey, connection, payloadOf, traffic } from '../../support/coturn-message.ts';

const KEY = allocationKey('bob', 1);
const NEW = `new lifetime=600${connection()}`;

function createListener(): { listener: Listener; subscriber: EventEmitter } {
  const subscriber = new Redis({ lazyConnect: true });
  onTestFinished(() => subscriber.disconnect());
  return { listener: new Listener(subscriber), subscriber };
}

describe('Listener', () => {
  it('expects the keys of allocations that live, until they are deleted', () => {
    const { listener, subscriber } = createListener();
    subscriber.emit('pmessage', 'turn/realm/*', `${KEY}/status`, NEW);
    expect([...listener.expectedKeys]).toEqual([`${KEY}/status`]);
    listener.receive(`${KEY}/status`, 'deleted');
    expect(listener.expectedKeys.size).toBe(0);
    expect([...listener.heard]).toEqual([KEY]);
    expect(listener.judge('1s')).toMatchObject({ level: 'ok' });
  });

  it('expects no key of an allocation that only traffic told of', () => {
    const { listener } = createListener();
    listener.receive(`${KEY}/traffic`, payloadOf(traffic(1, 2, 3, 4)));
    expect(listener.expectedKeys.size).toBe(0);
    expect(listener.judge('1s').level).toBe('ok');
  });

  it('warns where nobody publishes, or somebody else does', () => {
    const { listener } = createListener();
    expect(listener.judge('10s')).toMatchObject({
      level: 'warn',
      finding: expect.stringContaining('none seen in 10s'),
    });
    listener.receive('turn/realm/x', 'hello');
    listener.receive(`${KEY}/status`, 'hello');
    listener.foreign = 1;
    listener.messages = 0;
    expect(listener.judge('10s').finding).toContain('something else');
  });

  it('takes a keepalive for an idle coturn', () => {
    const { listener, subscriber } = createListener();
    subscriber.emit('message', '__XXX__', '__YYY__');
    expect(listener.judge('10s')).toMatchObject({ level: 'ok' });
  });

  it('remembers no more than it needs', () => {
    const { listener } = createListener();
    for (let id = 0; id < 3000; id += 1) listener.receive(`${allocationKey('x', id)}/status`, NEW);
    expect(listener.heard.size).toBeLessThanOrEqual(1000);
    expect(listener.expectedKeys.size).toBeLessThanOrEqual(1000);
  });

  it('waits for a status message, or for the end', async () => {
    const { listener } = createListener();
    const stopping = new AbortController();
    const waiting = listener.untilStatus(60_000, stopping.signal);
    listener.receive(`${KEY}/status`, NEW);
    await waiting;
    await listener.untilStatus(60_000, stopping.signal);
    const other = createListener().listener;
    const idle = other.untilStatus(60_000, stopping.signal);
    stopping.abort();
    await idle;
    await other.untilStatus(60_000, stopping.signal);
    expect(other.messages).toBe(0);
  });
});
