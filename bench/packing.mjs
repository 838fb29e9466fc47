import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { alpacaLike } from './alpaca-like.mjs';
import { builtDist } from './built.mjs';
import { median, spread, sum, table } from './numbers.mjs';
import { options } from './usage.mjs';

const WARM = 3;

/** The same rows in plain, bucketed and packed batches on one model: what length and order of rows cost, ours alone. */
export async function benchPacking(args) {
  const { values, number } = options(args, {
    data: { type: 'string' },
    steps: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    batch: { type: 'string', default: '8' },
    length: { type: 'string', default: '512' },
    backend: { type: 'string', default: 'native' },
    dist: { type: 'string' },
  });
  const [steps, rounds, batch, length] = ['steps', 'rounds', 'batch', 'length'].map(number);
  const dist = builtDist(values.dist);
  const tunebook = await import(pathToFileURL(join(dist, 'index.js')));
  const { backend, data, models, Random, tokens, train } = tunebook;
  const info = await backend.use(values.backend);
  const rows = await data.readRows(values.data ? resolve(values.data) : alpacaLike(Random, 4000));
  const texts = rows.flatMap(row => row.messages.flatMap(({ content, input }) => (input ? [content, input] : [content])));
  const tokenizer = tokens.trainBPE(texts, { vocabSize: 8192 });
  const { rows: encoded, summary } = tokens.encodeRows(rows, { tokenizer, template: 'alpaca', maxLength: length });
  // Packs hold as many tokens a step as plain batches do, on average.
  const packs = Math.max(1, Math.round((batch * summary.tokens) / summary.kept / length));
  const ways = {
    plain: { batchSize: batch },
    bucketed: { batchSize: batch, bucket: true },
    packed: { batchSize: packs, packing: { length } },
  };
  const results = Object.fromEntries(Object.keys(ways).map(name => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const [name, way] of Object.entries(ways)) {
      const model = models.init('small', { seed: 1, vocabSize: 8192 });
      const run = train.sft({ model, rows: encoded, ...way, steps: steps + WARM, seed: round });
      const history = await run.finish();
      model.dispose();
      const from = column => history[column].slice(WARM);
      const ms = from('seconds').map(s => s * 1000);
      results[name].push({
        ms: median(ms),
        per1000: (1000 * sum(ms)) / sum(from('tokens')),
        tokens: sum(from('tokens')) / steps,
        labels: (1000 * sum(from('labelTokens'))) / sum(ms),
        padding: (100 * sum(from('padding'))) / steps,
      });
      console.error(`round ${round + 1}/${rounds} ${name}: ${median(ms).toFixed(0)} ms a step`);
    }
  const column = (name, digits) =>
    Object.values(results).map(each =>
      spread(
        each.map(r => r[name]),
        digits,
      ),
    );
  const columns = [
    ['', ...Object.keys(results)],
    ['tokens/step', ...column('tokens')],
    ['ms/step', ...column('ms')],
    ['ms/1,000 tokens', ...column('per1000')],
    ['label-tokens/s', ...column('labels')],
    ['padding avoided %', ...column('padding', 1)],
  ];
  console.log(
    [
      `Llama shape 6L d256 vocab 8,192 on ${info.name}; batches of ${batch} rows, or of ${packs} × ${length} tokens; ${steps} timed steps a round`,
      '',
      table(columns[0].map((_, i) => columns.map(c => c[i]))),
    ].join('\n'),
  );
  await backend.dispose();
}
