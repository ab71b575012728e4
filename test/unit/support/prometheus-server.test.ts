import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { aimConfig, SHIPPED_CONFIG } from '../../support/prometheus-server.ts';

describe('aimConfig', () => {
  it('changes the target and the intervals of the shipped configuration', () => {
    const aimed = aimConfig(readFileSync(SHIPPED_CONFIG, 'utf8'), '127.0.0.1:34567');
    expect(aimed).toContain('127.0.0.1:34567');
    expect(aimed).not.toContain('127.0.0.1:10641');
    expect(aimed).toContain('scrape_interval: 500ms');
  });

  it('keeps relative rule files in the repository', () => {
    const aimed = aimConfig(
      "scrape_interval: 15s\nrule_files:\n  - grafana/alerts.yml\n  - '/abs/a.yml'\n127.0.0.1:10641",
      '127.0.0.1:1',
    );
    expect(aimed).toMatch(/^ {2}- \/.*\/grafana\/alerts\.yml$/m);
    expect(aimed).toContain("  - '/abs/a.yml'");
  });

  it('refuses a configuration it cannot aim', () => {
    expect(() => aimConfig('scrape_interval: 15s', '127.0.0.1:1')).toThrow('no target');
  });
});
