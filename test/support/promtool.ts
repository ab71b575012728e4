import { spawnSync } from 'node:child_process';

/** What `promtool` says about `input`: no complaints is exit code 0 and no output. */
export function runPromtool(
  args: readonly string[],
  input = '',
): { readonly exitCode: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { exitCode: status, output: `${stdout}${stderr}`.trim() };
}
