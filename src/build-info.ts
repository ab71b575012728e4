/** What runs. */
export interface BuildInfo {
  readonly version: string;
  /** Commit of the sources; `unknown` where nothing tells it. */
  readonly revision: string;
  readonly nodeVersion: string;
}
