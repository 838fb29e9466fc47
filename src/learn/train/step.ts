import * as tf from '@tensorflow/tfjs-core';
import { type Parameter, TunebookError } from '../../base/core/index.js';
import { batchOf } from '../../prepare/tokens/index.js';
import type { LossOptions } from '../models/index.js';
import { sumsOfSquares } from './optimizers/squares.js';
import type { BatchGradients, Optimizer, OptimizerState, TrainableModel, TrainRow } from './types.js';

export interface StepInput {
  model: TrainableModel;
  /** The trainable parameters, in the order of the gradients. */
  parameters: readonly Parameter<tf.Tensor>[];
  /** Micro-batches whose gradients make one update. */
  batches: readonly (readonly TrainRow[])[];
  optimizer: Optimizer;
  state: OptimizerState;
  learningRate: number;
  /** Largest global gradient norm; undefined: no clipping. */
  clip: number | undefined;
  /** A differentiable term added to the numerator of every micro-batch. */
  extra?: LossOptions['extra'];
  /** Number of the step, for error messages. */
  step: number;
}

export interface StepOutcome {
  loss: number;
  gradNorm: number;
}

/**
 * One optimizer step: gradients of every micro-batch are added up, divided by the sum of all denominators, clipped and
 * applied. Loss and gradient norm come to the host in one read, and are looked at before any weight is touched.
 */
export async function takeStep(input: StepInput): Promise<StepOutcome> {
  const { model, parameters, batches, optimizer, state, learningRate, clip, extra } = input;
  const numerators: tf.Tensor[] = [];
  let gradients: tf.Tensor[] = [];
  let denominator = 0;
  try {
    for (const rows of batches) {
      const part = model.lossAndGradients(batchOf(rows), { extra });
      numerators.push(part.numerator);
      denominator += part.denominator;
      gradients = accumulate(gradients, part);
    }
    const norms = sumsOfSquares(gradients);
    const numbers = await readScalars([...numerators, ...norms.scalars], numerators.length);
    const losses = numbers.slice(0, numerators.length);
    const squares = numbers.slice(numerators.length).map(x => x * norms.factor);
    refuseNonFinite(input, losses, squares, denominator);

    const loss = sum(losses) / denominator;
    const gradNorm = Math.sqrt(sum(squares)) / denominator;
    // PyTorch's clip_grad_norm_ adds 1e-6 too.
    const factor = clip === undefined ? 1 : Math.min(1, clip / (gradNorm + 1e-6));
    optimizer.step(parameters, gradients, state, { scale: factor / denominator, learningRate });
    gradients = [];
    return { loss, gradNorm };
  } finally {
    tf.dispose(numerators);
    tf.dispose(gradients);
  }
}

/** Labelled tokens. What begins a row or a segment has no token before it that could predict it. */
export function countLabels({ labels, weights, segmentIds }: TrainRow): number {
  let count = 0;
  for (let i = 1; i < labels.length; i++)
    if (labels[i] !== -100 && (weights?.[i] ?? 1) > 0 && segmentIds?.[i] === segmentIds?.[i - 1]) count++;
  return count;
}

function accumulate(total: tf.Tensor[], { gradients }: BatchGradients): tf.Tensor[] {
  if (total.length === 0) return gradients;
  return total.map((sum, i) => {
    const next = tf.add(sum, gradients[i]!);
    tf.dispose([sum, gradients[i]!]);
    return next;
  });
}

/** The values of many scalars in one transfer. Disposes all but the first `keep`, which the caller still owns. */
async function readScalars(scalars: tf.Tensor[], keep: number): Promise<number[]> {
  const packed = tf.stack(scalars);
  tf.dispose(scalars.slice(keep));
  try {
    return [...(await packed.data())];
  } finally {
    packed.dispose();
  }
}

function refuseNonFinite(
  { batches, parameters, step }: StepInput,
  losses: number[],
  squares: number[],
  denominator: number,
): void {
  const badLoss = losses.findIndex(value => !Number.isFinite(value));
  const badGradient = squares.findIndex(value => !Number.isFinite(value));
  if (badLoss < 0 && badGradient < 0 && denominator > 0) return;
  const rows = badLoss < 0 ? batches.flat() : batches[badLoss]!;
  const what =
    badLoss >= 0
      ? `The loss is ${losses[badLoss]}`
      : badGradient >= 0
        ? `The gradient of ${parameters[badGradient]!.name} is not finite`
        : `The weights of the labels add up to ${denominator}`;
  throw new TunebookError({
    problem: `${what} at step ${step}; the run was halted and this step changed no weight. Rows of the batch: ${nameRows(rows)}`,
    fix: 'look at these rows, lower the learning rate, lengthen the warm-up or clip lower; run.resume() leaves the rows out and goes on',
  });
}

function nameRows(rows: readonly TrainRow[]): string {
  const names = rows
    .slice(0, 16)
    .map(row => (row.line === undefined ? `[${row.ids.length} tokens]` : `line ${[row.line].flat().join(', ')}`));
  return names.join(', ') + (rows.length > 16 ? `, and ${rows.length - 16} more` : '');
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
