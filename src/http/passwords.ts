import { createHmac, randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { bcryptProgram } from './bcrypt-program.ts';

/** A user, and the bytes of what is said to be the password. */
export interface Login {
  readonly user: string;
  readonly password: Uint8Array;
}

export type Verdict = 'yes' | 'no' | 'busy';

/** The most logins that wait for the worker; a flood of guesses is told to come back. */
const MAX_WAITING = 16;
/** The most results that are remembered, of good and of bad logins each. */
const MAX_REMEMBERED = 100;

/**
 * Checks passwords against bcrypt hashes, in a thread of its own since each takes a tenth of a
 * second. Results are remembered, good and bad apart, so that guesses push out no good login.
 */
export class PasswordChecker {
  #users: ReadonlyMap<string, string> = new Map();
  /** Checked for a user who does not exist, so that this takes as long. */
  #nobody = '';
  /** Keeps passwords out of the memory: what is remembered is of use in this process only. */
  readonly #secret = randomBytes(32);
  readonly #known: Record<'yes' | 'no', Set<string>> = { yes: new Set(), no: new Set() };
  readonly #waiting = new Map<string, ((verdict: Verdict) => void)[]>();
  #worker: Worker | undefined;

  setUsers(users: ReadonlyMap<string, string>): void {
    this.#users = users;
    const [hash = ''] = users.values();
    this.#nobody = `${hash.slice(0, 7)}${'.'.repeat(53)}`;
  }

  async check({ user, password }: Login): Promise<Verdict> {
    const hash = this.#users.get(user);
    const checked = hash ?? this.#nobody;
    const id = createHmac('sha256', this.#secret)
      .update(`${user.length} ${user} ${checked} `)
      .update(password)
      .digest('base64');
    for (const verdict of ['yes', 'no'] as const) {
      // The one used last is the last to go.
      if (this.#known[verdict].delete(id)) return this.#remember(id, verdict);
    }
    const others = this.#waiting.get(id);
    if (others === undefined && this.#waiting.size >= MAX_WAITING) return 'busy';
    const verdict = await new Promise<Verdict>((resolve) => {
      if (others !== undefined) {
        others.push(resolve);
        return;
      }
      this.#waiting.set(id, [resolve]);
      this.#worker ??= this.#startWorker();
      this.#worker.postMessage({ id, password, hash: checked });
    });
    return hash === undefined && verdict === 'yes' ? 'no' : verdict;
  }

  /** Ends the worker; who waits is told to come back. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    for (const id of this.#waiting.keys()) this.#settle(id, 'busy');
  }

  #startWorker(): Worker {
    const worker = new Worker(bcryptProgram(), { eval: true });
    worker.unref();
    worker.on('message', ({ id, isRight }: { id: string; isRight: boolean }) => {
      this.#settle(id, this.#remember(id, isRight ? 'yes' : 'no'));
    });
    worker.on('error', () => void this.close());
    return worker;
  }

  #settle(id: string, verdict: Verdict): void {
    const waiting = this.#waiting.get(id) ?? [];
    this.#waiting.delete(id);
    for (const resolve of waiting) resolve(verdict);
  }

  #remember(id: string, verdict: 'yes' | 'no'): 'yes' | 'no' {
    const known = this.#known[verdict];
    known.add(id);
    const [oldest] = known;
    if (known.size > MAX_REMEMBERED && oldest !== undefined) known.delete(oldest);
    return verdict;
  }
}
