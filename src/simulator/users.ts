import type { Random } from './random.ts';

/** A person who makes calls. */
export interface User {
  /** The user id inside REST usernames. */
  readonly name: string;
  readonly realm: string;
}

/**
 * The users who are not in a call, the one who rested longest first, so that two calls of a user
 * are as far apart as the number of users allows. The first realm has the most users.
 */
export class UserPool {
  #waiting: User[] = [];
  #first = 0;

  constructor(count: number, realms: readonly string[], random: Random) {
    const weights = realms.map((_, index) => 1 / (index + 1));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (let number = 1; number <= count; number += 1) {
      let left = random.next() * sum;
      const index = weights.findIndex((weight) => {
        left -= weight;
        return left < 0;
      });
      this.#waiting.push({ name: `user${number}`, realm: realms.at(index) ?? '' });
    }
  }

  /** Takes the user who rested longest, or nobody. */
  take(): User | undefined {
    const user = this.#waiting[this.#first];
    if (user === undefined) return undefined;
    this.#first += 1;
    // Drop the part that was taken once it is the larger one; a shift for each would be slow.
    if (this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return user;
  }

  /** Puts a user back whose call is over. */
  give(user: User): void {
    this.#waiting.push(user);
  }
}
