/**
 * @typedef {{ readonly command: string, readonly package: string }} RequiredCommand
 * @typedef {{ readonly kind: 'nothing' }
 *   | { readonly kind: 'install', readonly packages: string[] }
 *   | { readonly kind: 'refuse', readonly packages: string[], readonly message: string }} PackagePlan
 */

/**
 * The programs the tests start, and the Debian package each comes in.
 * @type {readonly RequiredCommand[]}
 */
export const REQUIRED_COMMANDS = [
  { command: 'redis-server', package: 'redis-server' },
  { command: 'turnserver', package: 'coturn' },
  { command: 'turnutils_uclient', package: 'coturn' },
  { command: 'prometheus', package: 'prometheus' },
  { command: 'promtool', package: 'prometheus' },
  { command: 'victoria-metrics', package: 'victoria-metrics' },
  { command: 'chromium', package: 'chromium' },
  { command: 'sqlite3', package: 'sqlite3' },
  { command: 'pg_ctlcluster', package: 'postgresql' },
  { command: 'jq', package: 'jq' },
  { command: 'jsonnet', package: 'jsonnet' },
  { command: 'tcpdump', package: 'tcpdump' },
  { command: 'openssl', package: 'openssl' },
];

/**
 * What to do about the commands that are missing. Pure: looks at nothing but its arguments.
 * `mayInstall` is true for root that was not told to leave the machine alone.
 * @param {{ missingCommands: readonly string[], hasAptGet: boolean, mayInstall: boolean }} machine
 * @returns {PackagePlan}
 */
export function planPackages({ missingCommands, hasAptGet, mayInstall }) {
  const packages = [
    ...new Set(
      REQUIRED_COMMANDS.filter(({ command }) => missingCommands.includes(command)).map(
        (required) => required.package,
      ),
    ),
  ];
  if (packages.length === 0) return { kind: 'nothing' };
  if (hasAptGet && mayInstall) return { kind: 'install', packages };
  return { kind: 'refuse', packages, message: refusal({ missingCommands, packages, hasAptGet }) };
}

/**
 * @param {{ missingCommands: readonly string[], packages: string[], hasAptGet: boolean }} facts
 * @returns {string}
 */
function refusal({ missingCommands, packages, hasAptGet }) {
  const missing = `The tests need ${missingCommands.join(', ')}`;
  if (!hasAptGet) {
    return `${missing}: install what Debian calls ${packages.join(', ')}, then run this again`;
  }
  return `${missing}. Install with:\n  sudo apt-get install --no-install-recommends ${packages.join(' ')}`;
}
