import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface LockedPackage {
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const root = new URL('../../../', import.meta.url);
const readText = (name: string): string => readFileSync(new URL(name, root), 'utf8');
const security = readText('SECURITY.md');
const lock = JSON.parse(readText('package-lock.json')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
const production = Object.entries(lock.packages).filter(
  ([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true,
);

describe('SECURITY.md', () => {
  const rows = [...security.matchAll(/^\| `([^`]+)` \| (.+) \| (.+) \|$/gm)];

  it('gives a reason for every dependency, and for no other package', () => {
    const named = rows.map(([, name = '']) => name);
    expect(named).toEqual(Object.keys(lock.packages['']?.dependencies ?? {}).sort());
  });

  it.each(rows.map(([, name = '', , licence = '']) => ({ name, licence })))(
    'names the licence of $name',
    ({ name, licence }) => {
      expect(lock.packages[`node_modules/${name}`]?.license).toBe(licence);
    },
  );

  it('lists every licence of what runs in production', () => {
    const licences = new Set(production.map(([, { license }]) => license ?? 'none'));
    for (const licence of licences) expect(security).toMatch(new RegExp(`[ ,]${licence}[ ,;]`));
  });
});

describe('what runs in production', () => {
  it('has no install scripts', () => {
    const scripted = production.filter(([, entry]) => entry.hasInstallScript === true);
    expect(scripted.map(([path]) => path)).toEqual([]);
    expect(production.length).toBeGreaterThan(20);
  });
});
