// npm run bench -- profile: where the time of a training step goes, by TensorFlow op, and the share of the machine's matmul speed.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { median, sum, table } from './numbers.mjs';
import { SHAPES } from './shapes.mjs';
import { BadUsage, options } from './usage.mjs';

export async function benchProfile(args) {
  const { values, number } = options(args, {
    shape: { type: 'string', default: 'small' },
    batch: { type: 'string', default: '8' },
    length: { type: 'string', default: '80' },
    labels: { type: 'string', default: '14' },
    steps: { type: 'string', default: '10' },
    lora: { type: 'string' },
    backend: { type: 'string', default: 'native' },
    dist: { type: 'string', default: 'dist' },
  });
  const shape = SHAPES[values.shape];
  if (!shape) throw new BadUsage(`--shape is one of ${Object.keys(SHAPES).join(', ')}, found "${values.shape}"`);
  const entry = resolve(values.dist, 'index.js');
  const { backend, models, train } = await import(pathToFileURL(entry));
  const tf = createRequire(entry)('@tensorflow/tfjs-core');
  await backend.use(values.backend);
  const speed = await backend.matmulSpeed();
  const model = models.init(shape, { seed: 1 });
  if (values.lora) model.attach(models.lora({ rank: number('lora') }));
  const [batch, length, labelled, steps] = ['batch', 'length', 'labels', 'steps'].map(number);
  const row = i => {
    const ids = Array.from({ length }, (_, t) => (i * 7919 + t * 104729) % shape.vocabSize);
    return { ids, labels: ids.map((id, t) => (t >= length - labelled ? id : -100)) };
  };
  const rows = Array.from({ length: batch * (steps + 3) }, (_, i) => row(i));
  const run = train.sft({
    model,
    rows,
    batchSize: batch,
    steps: steps + 3,
    shuffle: false,
    clip: 1,
    optimizer: train.adamw({ learningRate: 1e-4 }),
  });

  const meter = new Meter(tf);
  const ms = [];
  let last = performance.now();
  for await (const report of run) {
    const now = performance.now();
    if (report.step > 3) ms.push(now - last);
    if (report.step === 3) meter.start();
    last = performance.now();
  }
  meter.stop();
  print({ meter, ms, steps, speed, batch, length, labelled, values });
  model.dispose();
  await backend.dispose();
}

/** Counts and times what the backend executes, by op. A CPU executes an op before the call returns. */
class Meter {
  ops = new Map();
  flops = 0;
  constructor(tf) {
    this.backend = tf.backend();
  }
  start() {
    for (const method of ['executeSingleOutput', 'executeMultipleOutputs']) {
      const original = this.backend[method];
      this.backend[method] = (...call) => {
        const begin = performance.now();
        const result = original.apply(this.backend, call);
        this.add(call[0], performance.now() - begin, call[2], result);
        return result;
      };
    }
  }
  stop() {
    delete this.backend.executeSingleOutput;
    delete this.backend.executeMultipleOutputs;
  }
  add(op, ms, inputs, result) {
    const entry = this.ops.get(op) ?? { calls: 0, ms: 0, flops: 0 };
    this.ops.set(op, entry);
    entry.calls++;
    entry.ms += ms;
    entry.flops += flopsOf(op, inputs, [result].flat());
  }
}

const sizeOf = ({ shape }) => shape.reduce((a, b) => a * b, 1);

/** Multiply-adds of an op's matrix products, counted as two; attention's are left out. */
function flopsOf(op, inputs, results) {
  if (op.includes('MatMul')) {
    const out = sizeOf(results[0]);
    // The inner size: what of the first operand is not among the rows of the result.
    return 2 * out * (sizeOf(inputs[0]) / (out / results[0].shape.at(-1)));
  }
  // Half a layer: rows of the residual stream times every matrix; the last of attention's is for the tokens that go on alone.
  const half = /^Tunebook(SelfAttention|FeedForward)(Grad)?$/.exec(op);
  if (!half) return 0;
  const [, kind, grad] = half;
  const [first, ...rest] = inputs;
  const matrices = (grad ? rest.slice(2) : inputs.slice(2)).slice(0, kind === 'SelfAttention' ? 4 : 3);
  const rows = (grad ? rest[0] : first).shape[0];
  const goingOn = (grad ? first : results[0]).shape[0];
  const each = matrices.map((matrix, i) => 2 * sizeOf(matrix) * (i === matrices.length - 1 ? goingOn : rows));
  // Backward: by the inputs, and by the weights that are trained, whose gradients are not empty.
  return sum(each.map((flops, i) => flops * (grad && sizeOf(results[i + 2]) > 0 ? 2 : 1)));
}

function print({ meter, ms, steps, speed, batch, length, labelled, values }) {
  const step = median(ms);
  const entries = [...meter.ops].sort((a, b) => b[1].ms - a[1].ms);
  const kernels = sum(entries.map(([, { ms }]) => ms)) / steps;
  const flops = sum(entries.map(([, { flops }]) => flops)) / steps;
  const percent = x => `${((100 * x) / step).toFixed(1)} %`;
  console.log(
    `${values.shape}, ${batch} rows of ${length} tokens, ${labelled} labelled each${values.lora ? `, LoRA rank ${values.lora}` : ''}; ${values.backend}, median of ${ms.length} steps`,
  );
  const lines = entries
    .filter(([, { ms }]) => ms / steps > step / 500)
    .map(([op, { calls, ms, flops }]) => [
      op,
      (calls / steps).toFixed(0),
      (ms / steps).toFixed(2),
      percent(ms / steps),
      flops ? `${(flops / ms / 1e6).toFixed(0)}` : '',
    ]);
  const overhead = ['JavaScript and the rest', '', (step - kernels).toFixed(2), percent(step - kernels), ''];
  console.log(
    table([
      ['op', 'calls/step', 'ms/step', 'share', 'GFLOP/s'],
      ...lines,
      overhead,
      ['step', '', step.toFixed(1), '100 %', (flops / step / 1e6).toFixed(0)],
    ]),
  );
  console.log(
    `matrix products: ${(flops / 1e9).toFixed(1)} GFLOP a step = ${((100 * flops) / step / 1e6 / speed).toFixed(0)} % of ${speed.toFixed(0)} GFLOP/s measured on a 1,024³ product; ${((batch * length * 1000) / step).toFixed(0)} tokens/s`,
  );
}
