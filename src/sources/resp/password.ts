import { createHash, timingSafeEqual } from 'node:crypto';

/** A password to compare with. Only its hash is kept. */
export class Password {
  readonly #digest: Buffer;

  constructor(text: string) {
    this.#digest = digest(text);
  }

  /** Whether this is the password; takes as long whatever the answer. */
  matches(text: string): boolean {
    return timingSafeEqual(this.#digest, digest(text));
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
