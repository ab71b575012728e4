import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';

const POLICY_FILE = '/usr/sbin/policy-rc.d';
const ASIDE = `${POLICY_FILE}.coturn-exporter-saved`;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs `work` while Debian's packages are told not to start their services (`policy-rc.d`, exit
 * code 101), and puts the machine's own policy back afterwards, also when `work` throws. A policy
 * left aside by a run that was killed is put back too. Ctrl-C ends apt-get, not this process.
 * @template T
 * @param {() => T} work
 * @returns {T}
 */
export function withoutServiceStarts(work) {
  const ignore = () => {};
  for (const signal of SIGNALS) process.on(signal, ignore);
  if (existsSync(POLICY_FILE) && !existsSync(ASIDE)) renameSync(POLICY_FILE, ASIDE);
  writeFileSync(POLICY_FILE, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return work();
  } finally {
    if (existsSync(ASIDE)) renameSync(ASIDE, POLICY_FILE);
    else rmSync(POLICY_FILE, { force: true });
    for (const signal of SIGNALS) process.off(signal, ignore);
  }
}
