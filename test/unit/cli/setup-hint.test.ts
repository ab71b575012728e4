import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startSetupHint } from '../../../src/cli/setup-hint.ts';

const LINE = 'redis-statsdb="ip=127.0.0.1 port=6380"';
const FIVE_MINUTES_MS = 300_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('startSetupHint', () => {
  it('says at once what to put into turnserver.conf, and again until a coturn has connected', () => {
    const { info, connect } = start();
    expect(info.mock.calls).toEqual([[expect.stringContaining(`turnserver.conf: ${LINE}`)]]);
    vi.advanceTimersByTime(FIVE_MINUTES_MS);
    expect(info).toHaveBeenCalledTimes(2);
    connect();
    vi.advanceTimersByTime(10 * FIVE_MINUTES_MS);
    expect(info).toHaveBeenCalledTimes(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('says nothing when one has connected already, or after its end', () => {
    const { info, connect, end } = start();
    end();
    vi.advanceTimersByTime(FIVE_MINUTES_MS);
    expect(info).toHaveBeenCalledTimes(1);
    connect();
    expect(vi.getTimerCount()).toBe(0);
  });
});

function start() {
  const info = vi.fn();
  let isConnected = false;
  const end = startSetupHint({ log: { info }, lines: [LINE], isConnected: () => isConnected });
  return {
    info,
    end,
    connect: () => {
      isConnected = true;
    },
  };
}
