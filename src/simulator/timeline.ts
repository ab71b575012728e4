/** Something planned for a moment of simulated time. */
export interface Timer {
  readonly atMs: number;
  /** Forgets it: the callback will not be called. */
  cancel(): void;
}

/**
 * What will happen, in order of time: a binary heap of callbacks. Those of the same moment run in
 * the order in which they were planned, so that a run depends on nothing but its seed.
 */
export class Timeline {
  readonly #heap: Entry[] = [];
  #planned = 0;
  #nowMs = 0;

  /** The moment of the callback that runs or ran last, in ms since the start of the simulation. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** When the next entry is due, or `Infinity` when nothing is planned. */
  get nextMs(): number {
    this.#dropCancelled();
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Plans `run` for `atMs`; a moment that has passed means as soon as possible. */
  at(atMs: number, run: () => void): Timer {
    const entry = new Entry(Math.max(atMs, this.#nowMs), this.#planned, run);
    this.#planned += 1;
    this.#rise(entry);
    return entry;
  }

  /** Runs the next callback and moves the time to its moment; does nothing when none is planned. */
  runNext(): void {
    this.#dropCancelled();
    const entry = this.#pop();
    if (entry === undefined) return;
    this.#nowMs = entry.atMs;
    entry.run?.();
  }

  /** Moves the time to `nowMs`, unless it is there or beyond. Nothing runs. */
  passTo(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && this.#heap[0]?.run === undefined) this.#pop();
  }

  #rise(entry: Entry): void {
    let at = this.#heap.length;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.#heap[parentAt];
      if (parent === undefined || !entry.isBefore(parent)) break;
      this.#heap[at] = parent;
      at = parentAt;
    }
    this.#heap[at] = entry;
  }

  #pop(): Entry | undefined {
    const top = this.#heap[0];
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) this.#sink(last);
    return top;
  }

  #sink(entry: Entry): void {
    let at = 0;
    for (;;) {
      const childAt = this.#earlierChild(at);
      const child = this.#heap[childAt];
      if (child === undefined || entry.isBefore(child)) break;
      this.#heap[at] = child;
      at = childAt;
    }
    this.#heap[at] = entry;
  }

  #earlierChild(at: number): number {
    const left = this.#heap[2 * at + 1];
    const right = this.#heap[2 * at + 2];
    return left !== undefined && right?.isBefore(left) ? 2 * at + 2 : 2 * at + 1;
  }
}

class Entry implements Timer {
  readonly atMs: number;
  readonly #order: number;
  run: (() => void) | undefined;

  constructor(atMs: number, order: number, run: () => void) {
    this.atMs = atMs;
    this.#order = order;
    this.run = run;
  }

  cancel(): void {
    this.run = undefined;
  }

  isBefore(other: Entry): boolean {
    return this.atMs < other.atMs || (this.atMs === other.atMs && this.#order < other.#order);
  }
}
