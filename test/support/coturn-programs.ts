import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** A folder with programs of coturn to test with, instead of those in the PATH. */
const { COTURN } = process.env;

/** A program of coturn: `turnserver`, `turnutils_uclient`. Those that `COTURN` lacks are the PATH's. */
export function coturnProgram(name: string): string {
  if (COTURN === undefined || COTURN === '') return name;
  const path = join(COTURN, name);
  return existsSync(path) ? path : name;
}
