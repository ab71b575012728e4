/** What is counted about the state file over the life of the process. */
export class StateStats {
  saved = 0;
  failed = 0;
  /** Unix time of the newest state file, in ms; 0 before the first. */
  lastSavedAtMs = 0;
}
