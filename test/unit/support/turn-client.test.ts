import { describe, expect, it } from 'vitest';
import { parseClientOutput } from '../../support/turn-client.ts';

describe('parseClientOutput', () => {
  it('takes the totals of the end, not those of the way there', () => {
    expect(
      parseClientOutput([
        '2: : start_mclient: msz=2, tot_send_msgs=147, tot_recv_msgs=146, tot_send_bytes ~ 24990, tot_recv_bytes ~ 24820',
        '3: : start_mclient: tot_send_msgs=400, tot_recv_msgs=399',
        '3: : start_mclient: tot_send_bytes ~ 68000, tot_recv_bytes ~ 67830',
        '3: : Total transmit time is 3',
      ]),
    ).toMatchObject({
      sentMessages: 400,
      receivedMessages: 399,
      sentBytes: 68_000,
      receivedBytes: 67_830,
    });
  });

  it('reports nothing sent after a failed login', () => {
    expect(parseClientOutput(['0: : error 401 (Unauthorized)'])).toMatchObject({
      sentMessages: 0,
      receivedBytes: 0,
    });
  });
});
