import type { Redis } from 'ioredis';
import { parseStatsKey } from '../coturn/key.ts';
import { KEEPALIVE_CHANNEL } from '../coturn/patterns.ts';
import { parseStatus } from '../coturn/payload.ts';
import { type Finding, ok, warn } from './report.ts';

/** The most status keys that are kept to look for; more prove no more. */
const MAX_STATUS_KEYS = 1000;

/** Listens to a subscribed connection, and remembers what tells about those who publish. */
export class Listener {
  /** Messages of coturn. */
  messages = 0;
  keepalives = 0;
  /** Messages on coturn's channels that are none of its own. */
  foreign = 0;
  /** Allocations that messages told of, by their keys without topic. */
  readonly heard: Set<string> = new Set();
  /** Status keys that must be there, since a message said so and none has said that it ended. */
  readonly expectedKeys: Set<string> = new Set();
  #onFirst: () => void = () => undefined;

  constructor(subscriber: Redis) {
    subscriber.on('pmessage', (_pattern: string, key: string, payload: string) => {
      this.receive(key, payload);
    });
    subscriber.on('message', (channel: string) => {
      if (channel === KEEPALIVE_CHANNEL) this.keepalives += 1;
    });
  }

  /** Takes one message. */
  receive(key: string, payload: string): void {
    const parsed = parseStatsKey(key);
    if (!parsed.ok) {
      this.foreign += 1;
      return;
    }
    this.messages += 1;
    if (this.heard.size < MAX_STATUS_KEYS) this.heard.add(parsed.allocationKey);
    if (parsed.topic !== 'status') return;
    const status = parseStatus(payload);
    if (!status.ok) return;
    if (status.status.kind === 'deleted') {
      this.expectedKeys.delete(key);
      return;
    }
    if (this.expectedKeys.size < MAX_STATUS_KEYS) this.expectedKeys.add(key);
    this.#onFirst();
  }

  /**
   * Waits until a message has told of an allocation that lives, at most `waitMs` or until `signal` is
   * aborted. By a timer of its own: one of `AbortSignal.timeout` that only `AbortSignal.any` knows
   * goes with the garbage, and the wait would never end.
   */
  async untilStatus(waitMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.expectedKeys.size > 0) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, waitMs);
      this.#onFirst = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }

  /** Whether somebody publishes here. */
  judge(waited: string): Finding {
    const what = 'publisher';
    if (this.messages > 0) return ok(what, `seen, ${this.messages} messages in ${waited} or less`);
    if (this.keepalives > 0) return ok(what, 'seen, an idle coturn sends keepalives');
    if (this.foreign > 0) {
      return warn(
        what,
        `none of coturn in ${waited}, ${this.foreign} messages of something else on its channels`,
        'find out who else publishes on turn/realm/* and turn/user/*',
      );
    }
    return warn(
      what,
      `none seen in ${waited} (an idle coturn 4.17 is silent)`,
      'compare redis-statsdb in turnserver.conf with --redis.url, then make a call while this runs with --doctor.wait 60s',
    );
  }
}
