import { describe, expect, it } from 'vitest';
import { causeOf } from '../../../../src/sources/redis/causes.ts';

const WHERE = { isTls: false, role: 'Redis', at: 'redis.example.org:6379' } as const;

describe('causeOf', () => {
  it.each([
    ['ECONNREFUSED connect ECONNREFUSED 127.0.0.1:6379', /refused/, /start it/],
    ['ETIMEDOUT connect ETIMEDOUT', /no answer/, /firewalls/],
    ['Command timed out', /no answer/, /firewalls/],
    ['ENOTFOUND getaddrinfo ENOTFOUND x', /host name/, /correct the host/],
    ['WRONGPASS invalid username-password pair or user is disabled.', /wrong/, /password-file/],
    ['ERR invalid password', /wrong/, /password-file/],
    ['NOAUTH Authentication required.', /none was given/, /--redis.password-file/],
    ['DENIED Redis is running in protected mode because', /protected mode/, /requirepass/],
    ['ERR max number of clients reached', /too many clients/, /maxclients/],
    ['ERR_SSL_WRONG_VERSION_NUMBER wrong version number', /does not speak TLS/, /tls-port/],
    ['ECONNRESET read ECONNRESET', /hangs up/, /its log/],
    ['Connection is closed.', /hangs up/, /its log/],
    ['something new', /something new/, /--redis.url/],
  ])('explains %j, and says where', (reason, finding, fix) => {
    const cause = causeOf(reason, WHERE);
    expect(cause.finding).toMatch(finding);
    expect(cause.finding).toContain('redis.example.org:6379');
    expect(cause.fix).toMatch(fix);
  });

  it('names the password of the Sentinels where a Sentinel asks for one', () => {
    const { finding, fix } = causeOf('NOAUTH Authentication required.', {
      ...WHERE,
      role: 'Sentinel',
    });
    expect(finding).toContain('Sentinel redis.example.org');
    expect(fix).toBe('give it with --redis.sentinel-password-file');
  });

  it('thinks of a port without TLS where TLS gets no answer, and never says to switch it off', () => {
    const { finding, fix } = causeOf('ETIMEDOUT', { ...WHERE, isTls: true });
    expect(finding).toContain('TLS');
    expect(fix).toContain('tls-port');
  });
});
