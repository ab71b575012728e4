/**
 * Bytes that are taken of a connection before the rest of the process gets its turn: some 1,300
 * messages. Node would read 2 MB, and while a peer sends as fast as it can, scrapes and the ends of
 * sessions would wait for 200 ms each time. A turn after every read of 64 KB costs an eighth more.
 */
export const TURN_BYTES: number = 256 * 1024;

/** What {@link Turns} does to a socket. */
interface Pausable {
  pause(): void;
  resume(): void;
}

/** Lets others have their turn while a peer sends as fast as it can. */
export class Turns {
  readonly #socket: Pausable;
  #takenBytes = 0;

  constructor(socket: Pausable) {
    this.#socket = socket;
  }

  /** So many bytes were taken; the next ones may have to wait. */
  take(bytes: number): void {
    this.#takenBytes += bytes;
    if (this.#takenBytes < TURN_BYTES) return;
    this.#takenBytes = 0;
    this.#socket.pause();
    setImmediate(() => this.#socket.resume());
  }
}
