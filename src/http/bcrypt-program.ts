import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/**
 * The program of a worker that answers `{ id, password, hash }` with `{ id, isRight }`. A text with
 * all of bcryptjs in it: an exporter in one file has no other file that a worker could start from, so
 * `deploy/package/bundle.ts` puts the text in place of this module.
 */
export function bcryptProgram(): string {
  const library = createRequire(import.meta.url).resolve('bcryptjs');
  return `${readFileSync(library, 'utf8')}
const { parentPort } = require('node:worker_threads');
parentPort.on('message', ({ id, password, hash }) => {
  const isRight = module.exports.compareSync(Buffer.from(password).toString(), hash);
  parentPort.postMessage({ id, isRight });
});
`;
}
