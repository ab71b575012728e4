const POLL_MS = 25;
const DEFAULT_TIMEOUT_MS = 30_000;

export interface UntilOptions<Value> {
  /** What is awaited, for the message: "the session record". */
  readonly what: string;
  readonly timeoutMs?: number;
  /** Text for the last value looked at; JSON when left out. */
  readonly show?: (value: Value) => string;
}

/**
 * The first value of `look` for which `isDone` is true, looked at again and again until the
 * deadline. A look that throws counts as not yet. Past the deadline it throws with the last state.
 */
export async function until<Value>(
  look: () => Promise<Value> | Value,
  options: UntilOptions<Value> & { readonly isDone: (value: Value) => boolean },
): Promise<Value> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const deadlineMs = Date.now() + timeoutMs;
  let last = 'nothing seen';
  for (;;) {
    try {
      const value = await look();
      if (options.isDone(value)) return value;
      last = options.show?.(value) ?? String(JSON.stringify(value, undefined, 2));
    } catch (failure) {
      last = failure instanceof Error ? `${failure.message} ${causeOf(failure)}` : String(failure);
    }
    if (Date.now() >= deadlineMs) {
      throw new Error(`Waited ${timeoutMs} ms for ${options.what}; last state:\n${last}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function causeOf(failure: Error): string {
  return failure.cause instanceof Error ? `(${failure.cause.message})` : '';
}
