/** Messages that both of two sources must have brought, one after the other, to be of one server. */
const PROOF = 8;
/** How far apart the two copies of a message may come, in ms. */
const APART_MS = 5_000;
/** How many messages are remembered. */
const MAX_REMEMBERED = 512;

/** What a source tells of itself to {@link SameServer}. */
export interface Claimant {
  readonly name: string;
  /** Its messages come by another source as well: it must not bring them any longer. */
  yieldTo(other: string): void;
}

/**
 * Finds sources that are the same server under two names: everything would count twice, since each
 * message comes to every subscriber, whatever its database. Told apart by the address they end at and
 * by `run_id` where it may be read; else by their messages.
 */
export class SameServer {
  readonly #order: string[] = [];
  readonly #identities = new Map<string, Claimant>();
  readonly #heard = new Map<string, { readonly by: Claimant; readonly atMs: number }>();
  /** How many messages in a row a source brought that another had brought, by both names. */
  readonly #copies = new Map<string, number>();

  /** Takes part; those that joined first stay. */
  join({ name }: Claimant): void {
    this.#order.push(name);
  }

  /** Whether there is anybody to be the same as. */
  get isNeeded(): boolean {
    return this.#order.length > 1;
  }

  /**
   * Notes what a source is connected to, instead of what it was before.
   *
   * @returns the name of the source that is connected to it already; then nothing was noted
   */
  claim(claimant: Claimant, identities: readonly string[]): string | undefined {
    this.release(claimant);
    for (const identity of identities) {
      const other = this.#identities.get(identity);
      if (other !== undefined) return other.name;
    }
    for (const identity of identities) this.#identities.set(identity, claimant);
    return undefined;
  }

  /** A source is connected to nothing. */
  release(claimant: Claimant): void {
    for (const [identity, other] of this.#identities) {
      if (other === claimant) this.#identities.delete(identity);
    }
  }

  /** A message came that is no plain delta: those are many, and look alike. */
  hear(by: Claimant, message: string, atMs: number): void {
    this.#forget(atMs);
    const other = this.#heard.get(message);
    if (other === undefined || other.by === by) {
      this.#heard.set(message, { by, atMs });
      return;
    }
    this.#heard.delete(message);
    const [first, second] = this.#inOrder(by, other.by);
    const pair = `${first.name}\n${second.name}`;
    const copies = (this.#copies.get(pair) ?? 0) + 1;
    this.#copies.set(pair, copies);
    if (copies < PROOF) return;
    this.#copies.delete(pair);
    second.yieldTo(first.name);
  }

  /** What nobody brought a second time speaks against the sameness of him who brought it. */
  #forget(nowMs: number): void {
    for (const [message, { by, atMs }] of this.#heard) {
      if (this.#heard.size <= MAX_REMEMBERED && nowMs - atMs <= APART_MS) return;
      this.#heard.delete(message);
      for (const pair of this.#copies.keys()) {
        if (pair.split('\n').includes(by.name)) this.#copies.delete(pair);
      }
    }
  }

  #inOrder(one: Claimant, other: Claimant): [Claimant, Claimant] {
    const isFirst = this.#order.indexOf(one.name) < this.#order.indexOf(other.name);
    return isFirst ? [one, other] : [other, one];
  }
}
