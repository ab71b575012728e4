/** What is counted about session records over the life of the process. */
export class RecordStats {
  /** Records that are on their destination. */
  written = 0;
  /** Records whose write failed; each is counted once, however often it is tried again. */
  failed = 0;
  /** Records that wait to be written. */
  queued = 0;
  /** Records that went to stderr, since the queue was full or the process ended. */
  spilled = 0;
}
