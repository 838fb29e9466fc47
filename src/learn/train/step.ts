import * as tf from '@tensorflow/tfjs-core';
import { type Parameter, Random } from '../../base/core/index.js';
import { sumsOfSquares } from '../../base/ops/index.js';
import { batchOf } from '../../prepare/tokens/index.js';
import type { LossOptions } from '../models/index.js';
import { refuseNonFinite } from './accidents.js';
import { callNow, checkedObjective, type Hooks, type LossContext, scalarTerm } from './hooks.js';
import { labelledTokens } from './labels.js';
import type { OptimizerMemory } from './optimizer-memory.js';
import type { ShowRowOptions } from './row-text.js';
import { type TokenFindings, TokenWatch } from './token-watch.js';
import { type BatchGradients, isSeq2Seq, type TrainableModel, type TrainRow } from './types.js';

export interface StepInput {
  model: TrainableModel;
  /** The trainable parameters, in the order of the gradients. */
  parameters: readonly Parameter<tf.Tensor>[];
  /** Micro-batches whose gradients make one update. */
  batches: readonly (readonly TrainRow[])[];
  memory: OptimizerMemory;
  learningRate: number;
  /** Largest global gradient norm; undefined: no clipping. */
  clip: number | undefined;
  /** What is added to the cross entropy, or stands in its place. */
  hooks: Pick<Hooks, 'loss' | 'objective'>;
  /** All rows there are to replay. */
  replayed: ReadonlySet<TrainRow>;
  labelSmoothing?: number;
  neftune?: number;
  recompute?: boolean;
  /** Number of the step, for error messages and seeds. */
  step: number;
  /** Seed of the run: with the number of the step and of the micro-batch it fixes what dropout drops, and noise. */
  seed: number | string;
  /** Entropy, accuracy and the norm of every gradient are wanted too. */
  detail?: boolean;
  /** How rows are shown in a message. */
  show?: ShowRowOptions;
}

export interface StepOutcome extends TokenFindings {
  loss: number;
  gradNorm: number;
  gradNorms?: Record<string, number>;
}

/**
 * One optimizer step: gradients of every micro-batch are added up, divided by the sum of all denominators, clipped and
 * applied. Loss and gradient norm come to the host in one read, and are looked at before any weight is touched.
 * @throws NonFinite where they are not finite
 */
export async function takeStep(input: StepInput): Promise<StepOutcome> {
  const { parameters, batches, memory, learningRate, clip, step, detail = false, show = {} } = input;
  const watch = new TokenWatch(detail);
  const watched = detail || batches.some(rows => rows.some(({ task }) => task !== undefined));
  const numerators: tf.Tensor[] = [];
  let gradients: tf.Tensor[] = [];
  let denominator = 0;
  try {
    for (const [i, rows] of batches.entries()) {
      const part = passOf(input, rows, i, watched ? watch : undefined);
      numerators.push(part.numerator);
      denominator += part.denominator;
      gradients = accumulate(gradients, part);
    }
    const norms = sumsOfSquares(gradients);
    let numbers: number[][];
    try {
      numbers = await readNumbers(numerators, [norms, ...watch.tensors]);
    } finally {
      norms.dispose();
    }
    const [losses, squares, ...seen] = numbers as [number[], number[], ...number[][]];
    await refuseNonFinite({ step, losses, squares, denominator, batches, parameters, show });

    const loss = sum(losses) / denominator;
    const gradNorm = Math.sqrt(sum(squares)) / denominator;
    // PyTorch's clip_grad_norm_ adds 1e-6 too.
    const factor = clip === undefined ? 1 : Math.min(1, clip / (gradNorm + 1e-6));
    memory.step(parameters, gradients, { scale: factor / denominator, learningRate });
    gradients = [];
    const gradNorms = detail
      ? Object.fromEntries(parameters.map(({ name }, i) => [name, Math.sqrt(squares[i]!) / denominator]))
      : undefined;
    return { loss, gradNorm, ...watch.findings(seen.flat()), ...(gradNorms && { gradNorms }) };
  } finally {
    watch.dispose();
    tf.dispose(numerators);
    tf.dispose(gradients);
  }
}

/** Numerator, denominator and gradients of one micro-batch. */
function passOf(input: StepInput, rows: readonly TrainRow[], index: number, watch: TokenWatch | undefined): BatchGradients {
  const { model, hooks, replayed, step, labelSmoothing, neftune, recompute } = input;
  const options: LossOptions = {
    seed: new Random(`dropout/${input.seed}/${step}/${index}`).uint32(),
    ...(labelSmoothing && { labelSmoothing }),
    ...(neftune && { neftune }),
    ...(recompute && { recompute }),
  };
  const { loss, objective } = hooks;
  const tokens = watch || loss || objective ? labelledTokens(rows, isSeq2Seq(model)) : undefined;
  const context: LossContext = { step, rows, replayed, tokens: tokens! };
  let own: number | undefined;
  if (objective) {
    options.only = true;
    options.extra = pass => {
      const { numerator, denominator } = callNow('objective', step, () => objective.call(hooks, pass, context), checkedObjective);
      own = denominator;
      return numerator;
    };
  } else if (loss) options.extra = pass => callNow('loss', step, () => loss.call(hooks, pass, context), scalarTerm);
  if (watch && !objective) {
    watch.open(rows, tokens!);
    options.observe = watch.see;
  }
  const { numerator, denominator, gradients } = model.lossAndGradients(batchOf(rows), options);
  return { numerator, denominator: own ?? denominator, gradients };
}

function accumulate(total: tf.Tensor[], { gradients }: BatchGradients): tf.Tensor[] {
  if (total.length === 0) return gradients;
  return total.map((sum, i) => {
    const next = tf.add(sum, gradients[i]!);
    tf.dispose([sum, gradients[i]!]);
    return next;
  });
}

/** The values of scalars, and of vectors, in one transfer: a list of numbers for all of the former, one for each of the latter. */
async function readNumbers(scalars: readonly tf.Tensor[], vectors: readonly tf.Tensor[]): Promise<number[][]> {
  const packed = tf.tidy(() => tf.concat([tf.stack([...scalars]), ...vectors]));
  try {
    const values = [...(await packed.data())];
    let at = 0;
    return [scalars.length, ...vectors.map(({ size }) => size)].map(size => {
      at += size;
      return values.slice(at - size, at);
    });
  } finally {
    packed.dispose();
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
