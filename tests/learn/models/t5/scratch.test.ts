import * as tf from '@tensorflow/tfjs-core';
import { readFileSync } from 'node:fs';
import { describe, expect, it, beforeAll } from 'vitest';
import { use } from '../../../../src/base/backend/index.js';
import { linear } from '../../../../src/base/ops/index.js';
import { parseT5Config } from '../../../../src/learn/models/t5/hugging-face.js';
import { t5WeightSpecs } from '../../../../src/learn/models/t5/weights.js';
import { t5Logits, layTargets, t5LossSum } from '../../../../src/learn/models/t5/loss.js';
import { t5Targets } from '../../../../src/learn/models/t5/batch.js';
import { T5Stepper } from '../../../../src/learn/models/t5/stepper.js';
import { relative, tensorsOf } from '../fixtures.js';
import { fileURLToPath } from 'node:url';
const at = (n: string) => fileURLToPath(new URL(`./fixtures/${n}`, import.meta.url));
const read = (values: Map<string, tf.Tensor>) => ({
  get: (n: string) => values.get(n)!, has: (n: string) => values.has(n), frozen: () => false,
  project: (x: tf.Tensor2D, m: string) => linear(x, values.get(`${m}.weight`) as tf.Tensor2D), behind: (y: tf.Tensor2D) => y });
describe.each(['t5-plain', 't5-flan', 't5-uneven'])('%s', name => {
  it('works', async () => {
    await use((process.env.B as 'native') ?? 'native');
    const raw = JSON.parse(readFileSync(`${at(name)}/config.json`, 'utf8'));
    const own = await tensorsOf(`${at(name)}/model.safetensors`);
    const config = parseT5Config(raw);
    config.tieWordEmbeddings = !own.has('lm_head.weight');
    const specs = t5WeightSpecs(config);
    expect(specs.map(s => s.name).sort()).toEqual([...own.keys()].sort());
    const values = new Map(specs.map(s => [s.name, tf.tensor(own.get(s.name)!, s.shape) as tf.Tensor]));
    const want = JSON.parse(readFileSync(`${at(name)}/expected.json`, 'utf8'));
    const tensors = await tensorsOf(`${at(name)}/expected.safetensors`);
    const logits = t5Logits({ ids: want.input.rows, decoderIds: want.input.decoderIds }, read(values), config);
    console.log(name, 'logits', relative(logits.dataSync(), tensors.get('logits.left')!), relative(logits.dataSync(), tensors.get('logits.right')!));
    const t = t5Targets(want.batches[0], config);
    const pair = layTargets(t, config);
    const names = [...values.keys()];
    const { value, grads } = tf.valueAndGrads((...g: tf.Tensor[]) => t5LossSum(pair, read(new Map(names.map((n, i) => [n, g[i]!]))), config).loss)([...values.values()]);
    console.log('loss', value.dataSync()[0], want.first, t.denominator);
    let worst = 0;
    names.forEach((n, i) => { const r = relative(grads[i]!.dataSync(), tensors.get(`gradient.${n}`)!); worst = Math.max(worst, r); if (r > 1e-4) console.log(n, r); });
    console.log('worst gradient', worst);
    // greedy through the stepper, with continuous admission
    const stepper = new T5Stepper({ config, readWeights: () => read(values) });
    const g = want.greedy;
    const out: number[][] = [[], [], []];
    let l = stepper.admit([g.ids[0]]);
    const live = [0];
    const compare = () => out.forEach((row, b) => { for (let i = 0; i < row.length; i++) if (row[i] !== g.new[b][i]) throw new Error(`${name} row ${b} step ${i} ${row[i]} ${g.new[b][i]} margin ${g.margin[b][i]}`); });
    for (let step = 0; step < 75; step++) {
      const next = Array.from(tf.argMax(l, 1).dataSync()); l.dispose();
      next.forEach((tok, i) => { if (out[live[i]!]!.length < 64) out[live[i]!]!.push(tok); });
      if (step === 3 || step === 7) { const row = step === 3 ? 1 : 2; const first = stepper.admit([g.ids[row]]); out[row]!.push(tf.argMax(first, 1).dataSync()[0]!); next.push(out[row]![0]!); live.push(row); first.dispose(); }
      if (step === 20) { stepper.select([2, 0, 1]); const o = [live[2]!, live[0]!, live[1]!]; live.splice(0, 3, ...o); const n = [next[2]!, next[0]!, next[1]!]; next.splice(0, 3, ...n); }
      if (step === 66) { const keep = live.map((r, i) => [r, i] as const).filter(([r]) => r !== 0); stepper.select(keep.map(k => k[1])); const n = keep.map(k => next[k[1]]!); next.splice(0, 3, ...n); live.splice(0, 3, ...keep.map(k => k[0])); }
      l = stepper.advance(next);
    }
    compare();
    console.log(out.map(r => r.length), tf.memory().numTensors); stepper.dispose(); console.log(tf.memory().numTensors);
  });
});
