import { describe, expect, it } from 'vitest';
import { createNameHider } from '../../../src/recording/name-hider.ts';

const ID = '001000000000000007';
const STATUS =
  'new lifetime=600, type=TLS/TCP, local=203.0.113.1:5349, remote=[2001:db8::7]:40000, ssl=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384';

function keyOf(realm: string, user: string, topic = 'status'): string {
  return `turn/realm/${realm}/user/${user}/allocation/${ID}/${topic}`;
}

describe('createNameHider', () => {
  const hider = createNameHider();
  const hideUser = (user: string) =>
    /user\/(.*)\/allocation/.exec(hider.hide(keyOf('example.org', user), 'deleted').channel)?.[1];

  it('leaves nothing of users, realms and addresses', () => {
    const { channel, message } = hider.hide(keyOf('example.org', 'alice'), STATUS);
    expect(channel).toMatch(
      new RegExp(`^turn/realm/realm-[0-9a-f]{10}/user/user-[0-9a-f]{10}/allocation/${ID}/status$`),
    );
    expect(message).toMatch(
      /^new lifetime=600, type=TLS\/TCP, local=10\.\d+\.\d+\.\d+:5349, remote=\[fd00::[0-9a-f]{4}:[0-9a-f]{4}\]:40000, ssl=TLSv1\.3, cipher=TLS_AES_256_GCM_SHA384$/,
    );
  });

  it('gives equal names equal hashes, and others others', () => {
    expect(hideUser('alice')).toBe(hideUser('alice'));
    expect(hideUser('alice')).not.toBe(hideUser('bob'));
    expect(createNameHider().hideServer('eu-1')).not.toBe(createNameHider().hideServer('eu-1'));
  });

  it('hides servers and sources, but for loopback', () => {
    expect(hider.hideServer('127.0.0.1')).toBe('127.0.0.1');
    expect(hider.hideServer('198.51.100.7')).toMatch(/^10\.\d+\.\d+\.\d+$/);
    for (const name of ['eu-1', '127.0.0.1:6379/0']) {
      expect(hider.hideServer(name)).toMatch(/^server-[0-9a-f]{10}$/);
    }
  });

  it('keeps the expiry of a REST name, so that both ends stay one user', () => {
    const [early, late] = [hideUser('1795306257:alice'), hideUser('1795306999:alice')];
    expect(early).toMatch(/^1795306257:user-[0-9a-f]{10}$/);
    expect(early?.slice(11)).toBe(late?.slice(11));
    expect(hideUser('12:bob')).toMatch(/^user-/);
  });

  it.each([
    ['no user', 'turn/user//allocation/001000000000000007/status', 'deleted'],
    ['traffic', keyOf('', '', 'traffic'), 'rcvp=1, rcvb=20, sentp=1, sentb=80'],
    ['a keepalive', '__XXX__', '__YYY__'],
    [
      'loopback',
      `turn/user//allocation/${ID}/status`,
      'refreshed lifetime=0, type=UDP, local=127.0.0.1:3478, remote=[::1]:40000, ssl=NONE, cipher=NONE',
    ],
  ])('leaves %s as it is', (_, channel, message) => {
    const hidden = hider.hide(channel, message);
    expect(hidden.message).toBe(message);
    expect(hidden.channel).toBe(channel.replace('turn/realm//user/', 'turn/user/'));
  });

  it.each([
    ['a key', 'turn/secret', 'secret', /^hidden-\w+$/, /^hidden-\w+$/],
    ['a status', keyOf('r', 'u'), 'new secret', /^turn/, /^hidden-\w+$/],
    ['traffic', keyOf('r', 'u', 'traffic'), 'rcvp=secret', /^turn/, /^hidden-\w+$/],
    ['a later field', keyOf('r', 'u'), `${STATUS}, sni=secret`, /^turn/, /, sni=[0-9a-f]{10}$/],
  ])('hides %s that it cannot read', (_, channel, message, shownChannel, shownMessage) => {
    const hidden = hider.hide(channel, message);
    expect(hidden.channel).toMatch(shownChannel);
    expect(hidden.message).toMatch(shownMessage);
    expect(JSON.stringify(hidden)).not.toContain('secret');
  });
});
