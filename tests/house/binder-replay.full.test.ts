import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from './installed.js';

// Several minutes and a download of 274 MB: npm run test:full.
it('the build steps of Binder in a clean prefix, and the quickstart within 2 GB', { timeout: 1_800_000 }, () => {
  const output = execFileSync(join(ROOT, 'binder/replay.sh'), ['--limit', '2000'], {
    encoding: 'utf8',
    maxBuffer: 1e8,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(output).toContain('JupyterLab opens notebooks/quickstart.ipynb and has the tunebook kernel');
  expect(output).toMatch(/held-out accuracy +\d/);
  expect(Number(/peak memory (\d+) MB/.exec(output)?.[1])).toBeLessThan(2000);
});
