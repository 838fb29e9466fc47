import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import * as sources from '../../../src/prepare/tokens/index.js';
import { ensureBuilt, root } from '../../helpers/built.js';

// Threads load modules by themselves, so this is tested on the build; on sources encodeRowsParallel works alone.
let tokens: typeof sources;
beforeAll(async () => {
  await ensureBuilt();
  tokens = ((await import(pathToFileURL(join(root, 'dist', 'index.js')).href)) as { tokens: typeof sources }).tokens;
});

const rows = Array.from({ length: 2600 }, (_, i) => ({
  messages:
    i % 500 === 7
      ? [{ role: 'user' as const, content: `never answered ${i}` }]
      : [
          { role: 'user' as const, content: `What is ${i} plus ${i * 7}? Grüße 👍🏽`, weight: 1 },
          { role: 'assistant' as const, content: `It is ${i * 8}.`, ...(i % 3 ? {} : { weight: 0.5 }) },
        ],
  line: i + 1,
}));

test.each(['dist', 'src'])('%s: the same rows and summary on several threads as on one', async where => {
  const { trainBPE, encodeRows, encodeRowsParallel } = where === 'dist' ? tokens : sources;
  const tokenizer = trainBPE(['what is it plus 0123456789 over and over, it is what it is'], { vocabSize: 280 });
  for (const options of [{ template: 'chatml' }, { template: 'alpaca', maxLength: 40, truncation: 'left' as const }]) {
    const one = encodeRows(rows, { tokenizer, ...options });
    const many = await encodeRowsParallel(rows, { tokenizer, ...options, workers: 2 });
    expect(many.summary).toEqual(one.summary);
    for (const [i, row] of many.rows.entries()) {
      const { ids, labels, weights, trained, truncated } = one.rows[i]!;
      expect({ ...row }).toMatchObject({ ids, labels, trained, truncated });
      expect(row.weights).toEqual(weights);
    }
    expect(many.rows[1234]!.text).toBe(one.rows[1234]!.text);
    expect(many.rows[1234]!.offsets).toEqual(one.rows[1234]!.offsets);
  }
  await expect(encodeRowsParallel(rows, { tokenizer, template: 'chatml', workers: 0 })).rejects.toThrow(/number of workers/);
});
