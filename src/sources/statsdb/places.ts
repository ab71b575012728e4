/** What {@link Places} must know of a connection. */
export interface Guest {
  /** The peer's address without port. */
  readonly address: string;
  /** Whether it has shown what it is here for: it published, or with a password it sent that. */
  readonly hasProved: boolean;
  /** Turns it out, since another takes its place. */
  giveWay(): void;
}

/** How many connections there may be. */
export interface PlaceLimits {
  /** In all, without a password; those on probation not counted. */
  readonly total: number;
  /** The same with a password. */
  readonly proven: number;
  /** Of one address, without a password; those on probation not counted. */
  readonly perAddress: number;
  /** On probation, of all addresses together, without a password. */
  readonly probation: number;
  /** The same with a password, when everybody is. */
  readonly strangers: number;
}

/**
 * The limits of an embedded statsdb. A coturn holds four connections and one more for each relay
 * thread, at most 132: there is room for a hundred usual servers, well below the usual limits on
 * file descriptors, and on one address for two of the largest. Who has the password is no crowd:
 * there is room for a thousand servers. When all of those come back at once, the system hands over
 * some 500 connections before any of their passwords can be read: they are no crowd either.
 */
export const PLACE_LIMITS: PlaceLimits = {
  total: 1_000,
  proven: 20_000,
  perAddress: 300,
  probation: 64,
  strangers: 2_048,
};

/** Where a newcomer goes; on probation it has to prove itself soon, or leave. */
export type Admission = 'admitted' | 'probation' | 'refused';

/**
 * Who may stay connected, so that a crowd that says nothing cannot lock a coturn out. Three
 * connections of every coturn stay mute for ever, and closing one costs it events later: so silence
 * alone turns nobody out, and an address that publishes keeps all of its connections.
 */
export class Places {
  readonly #limits: PlaceLimits;
  readonly #needsPassword: boolean;
  readonly #admitted = new Map<string, Set<Guest>>();
  readonly #onProbation = new Map<string, Set<Guest>>();
  #admittedCount = 0;
  #probationCount = 0;

  /** @param needsPassword with a password everybody is on probation until it has come */
  constructor(needsPassword: boolean, limits: PlaceLimits = PLACE_LIMITS) {
    this.#needsPassword = needsPassword;
    this.#limits = limits;
  }

  /** Takes a newcomer in, perhaps in the place of another that gives way. */
  enter(guest: Guest): Admission {
    if (this.#needsPassword) return this.#enterProbation(guest);
    const own = this.#admitted.get(guest.address);
    if (own !== undefined && own.size >= this.#limits.perAddress) {
      // A relay thread of a coturn that publishes may come back, and will speak at once.
      if (hasPublisher(own)) return this.#enterProbation(guest);
      this.#turnOut(firstOf(own));
    } else if (this.#admittedCount >= this.#limits.total && !this.#makeRoom()) {
      return 'refused';
    }
    this.#admit(guest);
    return 'admitted';
  }

  /**
   * A guest has proved itself, and needs to hurry no more.
   *
   * @returns false when there is no place for it
   */
  prove(guest: Guest): boolean {
    if (!this.#onProbation.get(guest.address)?.has(guest)) return true;
    const most = this.#needsPassword ? this.#limits.proven : this.#limits.total;
    if (this.#admittedCount >= most && !this.#makeRoom()) return false;
    this.leave(guest);
    this.#admit(guest);
    return true;
  }

  /** A guest is gone; nothing happens when it has no place. */
  leave(guest: Guest): void {
    if (removeFrom(this.#admitted, guest)) this.#admittedCount -= 1;
    if (removeFrom(this.#onProbation, guest)) this.#probationCount -= 1;
  }

  #admit(guest: Guest): void {
    addTo(this.#admitted, guest);
    this.#admittedCount += 1;
  }

  #enterProbation(guest: Guest): Admission {
    const { probation, strangers } = this.#limits;
    if (this.#probationCount >= (this.#needsPassword ? strangers : probation)) {
      this.#turnOut(firstOf(largest(this.#onProbation.values())));
    }
    addTo(this.#onProbation, guest);
    this.#probationCount += 1;
    return 'probation';
  }

  /** Frees a place: the oldest of the address that has most of those that only listen. */
  #makeRoom(): boolean {
    if (this.#needsPassword) return false;
    const silent = [...this.#admitted.values()].filter((guests) => !hasPublisher(guests));
    const guest = firstOf(largest(silent));
    this.#turnOut(guest);
    return guest !== undefined;
  }

  #turnOut(guest: Guest | undefined): void {
    if (guest === undefined) return;
    this.leave(guest);
    guest.giveWay();
  }
}

function addTo(places: Map<string, Set<Guest>>, guest: Guest): void {
  const guests = places.get(guest.address) ?? new Set();
  places.set(guest.address, guests.add(guest));
}

function removeFrom(places: Map<string, Set<Guest>>, guest: Guest): boolean {
  const guests = places.get(guest.address);
  if (guests?.delete(guest) !== true) return false;
  if (guests.size === 0) places.delete(guest.address);
  return true;
}

function largest(groups: Iterable<Set<Guest>>): Set<Guest> | undefined {
  let most: Set<Guest> | undefined;
  for (const guests of groups) if (guests.size > (most?.size ?? 0)) most = guests;
  return most;
}

/** Sets keep the order in which guests came. */
function firstOf(guests: Set<Guest> | undefined): Guest | undefined {
  for (const guest of guests ?? []) return guest;
  return undefined;
}

function hasPublisher(guests: Set<Guest>): boolean {
  for (const { hasProved } of guests) if (hasProved) return true;
  return false;
}
