// Every science page, executed on the real kernel with trainings of a few steps: what it reads and draws is there at any size.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../helpers/built.js';
import { chartsOf, executor, expectComplete, readNotebook, skipJupyter, textsOf } from './notebook.js';

const folder = join(root, 'notebooks', 'science');
const pages = readdirSync(folder).filter(file => file.endsWith('.ipynb'));

describe.skipIf(skipJupyter)('executed by Jupyter', () => {
  test.each(pages)('%s', { timeout: 900_000 }, async page => {
    const jupyter = await executor(join(folder, page), { seconds: 600 });
    try {
      const { notebook } = await jupyter.execute('page', { TUNEBOOK_STEPS: '20', TUNEBOOK_SEEDS: '1' });
      expectComplete(notebook);
      const committed = await readNotebook(join(folder, page));
      expect(chartsOf(notebook)).toHaveLength(chartsOf(committed).length);
      const shown = textsOf(notebook).join('\n');
      expect(shown).toMatch(/(\d+)\/\1 trials/);
      expect(shown).not.toMatch(/\d+ failed/);
      // What the full sweeps say does not depend on the small one.
      const tables = (text: string) => text.match(/^[\w-]+\.csv: .*$/gm);
      expect(tables(shown)).toEqual(tables(textsOf(committed).join('\n')));
    } finally {
      await jupyter.dispose();
    }
  });
});
