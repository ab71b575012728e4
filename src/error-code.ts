/** The system's name for an error, such as `ENOENT` or `EADDRINUSE`; undefined when it has none. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
