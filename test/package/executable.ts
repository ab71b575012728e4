import { join } from 'node:path';
import { ROOT, readRelease } from '../../deploy/package/bundle.ts';

/** What `npm run package` has built for this machine. */
export const EXECUTABLE: string = join(
  ROOT,
  `dist-bin/coturn-exporter-${readRelease().version}-${process.platform}-${process.arch}`,
);
