/** Something that waits for a moment. The links belong to the {@link Deadlines} it waits in. */
export interface Waiting {
  /** Neighbours in its slot; undefined while it waits nowhere. */
  previous: Waiting | undefined;
  next: Waiting | undefined;
}

/** Moments are rounded up to this many ms, so that many deadlines share one slot. */
export const SLOT_MS = 100;

/**
 * Deadlines of any number of entries, without a timer for any of them: a list of entries for each
 * slot of {@link SLOT_MS}. Adding and removing cost the same at a million entries as at ten.
 */
export class Deadlines<T extends Waiting> {
  readonly #slots = new Map<number, Slot>();
  /** The first slot that may still hold entries; all before it are empty. */
  #cursor = Number.POSITIVE_INFINITY;

  /** Lets `entry` wait until `atMs`; it must not wait already. */
  add(entry: T, atMs: number): void {
    const number = Math.ceil(atMs / SLOT_MS);
    let slot = this.#slots.get(number);
    if (slot === undefined) {
      slot = new Slot(number);
      this.#slots.set(number, slot);
    }
    if (number < this.#cursor) this.#cursor = number;
    const last = slot.previous;
    entry.previous = last;
    entry.next = slot;
    last.next = entry;
    slot.previous = entry;
  }

  /** Stops `entry` from waiting; nothing happens when it does not wait. */
  remove(entry: T): void {
    const { previous, next } = entry;
    unlink(entry);
    // Left alone, a slot is a memory of nothing: a client could leave one with each refresh.
    if (previous === next && previous instanceof Slot) this.#slots.delete(previous.number);
  }

  /** Takes out the entry that is due longest, or undefined when none is due at `nowMs`. */
  takeDue(nowMs: number): T | undefined {
    const lastDue = Math.floor(nowMs / SLOT_MS);
    if (lastDue - this.#cursor > this.#slots.size && !this.#slots.has(this.#cursor)) {
      this.#skipToFirstSlot();
    }
    for (; this.#cursor <= lastDue && this.#slots.size > 0; this.#cursor += 1) {
      const slot = this.#slots.get(this.#cursor);
      if (slot === undefined) continue;
      const first = slot.next;
      if (first !== slot) {
        unlink(first);
        return first as T;
      }
      this.#slots.delete(this.#cursor);
    }
    return undefined;
  }

  /** After a leap of the clock, walking over empty slots one by one would take long. */
  #skipToFirstSlot(): void {
    let first = Number.POSITIVE_INFINITY;
    for (const number of this.#slots.keys()) first = Math.min(first, number);
    this.#cursor = first;
  }
}

function unlink(entry: Waiting): void {
  const { previous, next } = entry;
  if (previous === undefined || next === undefined) return;
  previous.next = next;
  next.previous = previous;
  entry.previous = undefined;
  entry.next = undefined;
}

/** A slot is the head of its own circular list. */
class Slot implements Waiting {
  previous: Waiting = this;
  next: Waiting = this;
  readonly number: number;

  constructor(number: number) {
    this.number = number;
  }
}
