import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const src = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

// Tests import rooms by the same names users do; sources are used directly so that no build can be stale.
export default defineConfig({
  resolve: { alias: [{ find: /^#src\/(.*)$/, replacement: `${src('')}$1` }] },
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['tests/**/fixtures/**', ...(process.env.TUNEBOOK_FULL ? [] : ['tests/**/*.full.test.ts'])],
    pool: 'forks',
    maxWorkers: 2,
    // Against hanging only: a busy machine is slow, not broken.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // What is waited for comes in a moment, or late on a busy machine; vitest would give up after one second.
    expect: { poll: { timeout: 60_000 } },
    // Runs of tests leave no records, but those that ask for one.
    env: { TF_CPP_MIN_LOG_LEVEL: '2', TUNEBOOK_RECORD: 'off' },
  },
});
