import { createHmac, randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { ConfigError } from '../../config/config-error.ts';
import { WatchedFiles } from '../../config/files.ts';
import { readServerLogins } from '../../config/servers.ts';

/** Who may connect to an embedded statsdb. */
export interface LoginsOptions {
  /** Of every coturn that has none of its own. */
  readonly password?: string | undefined;
  /** Of those that have one. */
  readonly serversFile?: string | undefined;
  readonly log: Logger;
}

/** Who somebody is that may come in. */
export interface Identity {
  /** The coturn with this password; undefined for the password that several may have. */
  readonly server: string | undefined;
}

/**
 * The passwords of the embedded statsdb, as the file of servers tells them at this moment. Only
 * their hashes are compared, under a key of this process, so that answers take no longer for a guess
 * that is nearly right.
 */
export class Logins {
  readonly #options: LoginsOptions;
  readonly #key = randomBytes(32);
  readonly #watched = new WatchedFiles();
  readonly #general: string | undefined;
  #names = new Set<string>();
  /** Names by the hash of their password. */
  #servers = new Map<string, string>();
  #generation = 0;

  /** @throws {ConfigError} when the file cannot be used */
  constructor(options: LoginsOptions) {
    this.#options = options;
    const { password } = options;
    this.#general = password === undefined ? undefined : this.#hash(password);
    this.#read();
  }

  /** Whether peers must send a password at all. */
  get areNeeded(): boolean {
    return this.#general !== undefined || this.#options.serversFile !== undefined;
  }

  /** Whether there is a file that may change. */
  get mayChange(): boolean {
    return this.#options.serversFile !== undefined;
  }

  /** Another number whenever other servers are known. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Who has this password; undefined for nobody.
   *
   * @param user the name that came with it. That of a server speaks for no other; any other name
   *   says nothing, as does a coturn before 4.6.3, which sends none
   */
  identify(password: string, user?: string): Identity | undefined {
    const hash = this.#hash(password);
    const server = this.#servers.get(hash);
    if (this.isServer(user) && user !== server) return undefined;
    if (server !== undefined) return { server };
    return hash === this.#general ? { server: undefined } : undefined;
  }

  /** Whether a server has this name. */
  isServer(name: string | undefined): boolean {
    return name !== undefined && this.#names.has(name);
  }

  /** Reads the file anew if it has changed; one that cannot be used changes nothing. */
  refresh(): void {
    const { log } = this.#options;
    if (!this.#watched.haveChanged()) return;
    try {
      this.#read();
      log.info({ servers: this.#names.size }, 'statsdb read its servers anew');
    } catch (error) {
      const reason = error instanceof ConfigError ? error.message : 'cannot be read';
      log.error({ reason }, 'statsdb cannot use the new file of servers, and keeps the old');
    }
  }

  #read(): void {
    const { serversFile, password } = this.#options;
    if (serversFile === undefined) return;
    // Watched also where it cannot be used: it is looked at again when it changes again.
    const read = (path: string): string => this.#watched.read(path);
    const servers = readServerLogins(serversFile, read, password) ?? [];
    this.#generation += 1;
    this.#names = new Set(servers.map(({ name }) => name));
    this.#servers = new Map(servers.map(({ name, password }) => [this.#hash(password), name]));
  }

  #hash(password: string): string {
    return createHmac('sha256', this.#key).update(password).digest('hex');
  }
}
