import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ensureBuilt, root } from '../helpers/built.js';
import { noJupyter, PATIENCE } from './front-end.js';

/** Every test of jupyter_kernel_test 0.7, by its topic. */
const TOPICS = [
  'kernel_info',
  'stdout',
  'stderr',
  'execute_result',
  'error',
  'display_data',
  'clear_output',
  'complete',
  'inspect',
  'is_complete',
  'history',
  'pager',
  'iopub_welcome',
];

describe.skipIf(noJupyter)(`jupyter_kernel_test ${noJupyter ?? ''}`, () => {
  it(
    'passes, every test of it, and the table says so',
    async () => {
      await ensureBuilt();
      const script = join(root, 'tests', 'kernel', 'conformance-table.mjs');
      const { stdout } = await promisify(execFile)(process.execPath, [script, '--reasons', 'tunebook']);
      expect(stdout.trim().split('\n')).toEqual([
        expect.stringMatching(/^\| jupyter_kernel_test \| tunebook \d+\.\d+\.\d+ \|$/),
        '| --- | :-: |',
        ...TOPICS.map(topic => `| \`${topic}\` | ✓ |`),
        '| passed | **13 of 13** |',
      ]);
    },
    PATIENCE,
  );
});
