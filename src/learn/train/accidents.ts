import * as tf from '@tensorflow/tfjs-core';
import { BadInput, type Parameter, quote, refuseUnknown, TunebookError } from '../../base/core/index.js';
import { sumsOfSquares } from '../../base/ops/index.js';
import { checkNumber } from './check.js';
import type { OptimizerMemory } from './optimizer-memory.js';
import { nameRows, type ShowRowOptions, showRow } from './row-text.js';
import type { TrainRow } from './types.js';

/** What to do with a step whose loss or gradient is not finite. */
export type NonFinitePolicy = 'halt' | 'skip' | 'restore';

/** A policy with its settings. */
export interface NonFiniteOptions {
  /**
   * 'halt' (default): the run fails, no weight is changed. 'skip': the rows are left out and counted (`rejected`). 'restore': also,
   * weights and optimizer go back to where they were up to `every` steps before, and the learning rate is lowered by `factor`.
   */
  policy: NonFinitePolicy;
  /** Default 0.5. */
  factor?: number;
  /** Steps between two states that can be restored. Each costs the memory of weights and optimizer once. Default 20. */
  every?: number;
  /** So many such steps in a row halt the run after all. Default 5. */
  limit?: number;
}

/** Check the option `nonFinite`. */
export function checkNonFinite(given: NonFinitePolicy | NonFiniteOptions = 'halt'): Required<NonFiniteOptions> {
  const options = typeof given === 'string' ? { policy: given } : given;
  refuseUnknown('nonFinite', options, ['policy', 'factor', 'every', 'limit']);
  if (!['halt', 'skip', 'restore'].includes(options.policy))
    throw new BadInput({
      problem: 'This does not say what to do with a loss that is not finite',
      where: { key: 'nonFinite' },
      expected: "'halt', 'skip' or 'restore'",
      found: quote(options.policy),
      fix: "write nonFinite: 'skip' to leave such rows out, or leave it out to halt",
    });
  const whole = { from: 1, integer: true };
  return {
    policy: options.policy,
    factor: checkNumber('nonFinite.factor', options.factor ?? 0.5, { from: Number.MIN_VALUE, below: 1 + Number.EPSILON }),
    every: checkNumber('nonFinite.every', options.every ?? 20, whole),
    limit: checkNumber('nonFinite.limit', options.limit ?? 5, whole),
  };
}

/** What was found in a step before any weight was touched. */
export interface Accident {
  step: number;
  /** Loss of each batch. */
  losses: readonly number[];
  /** Σ g² of each trained weight. */
  squares: readonly number[];
  denominator: number;
  batches: readonly (readonly TrainRow[])[];
  parameters: readonly Parameter<tf.Tensor>[];
  show: ShowRowOptions;
}

/** Loss or gradient of a step is not finite. The step changed no weight. */
export class NonFinite extends TunebookError {
  /** The rows of the batch it was found in. */
  readonly rows: readonly TrainRow[];
  /** Weights are not finite themselves: no other rows will help. */
  readonly weights: boolean;

  constructor(accident: Accident, found: { what: string; rows: readonly TrainRow[]; spoilt: string | undefined }) {
    const { what, rows, spoilt } = found;
    const shown = rows.slice(0, 4).map(row => showRow(row, accident.show));
    super({
      problem:
        `${what} at step ${accident.step}; the run was halted and this step changed no weight. Rows of the batch: ${nameRows(rows)}. ` +
        `With what is trained in ⟦⟧: ${shown.join(' | ')}${spoilt ? `. The weights themselves are not finite, first ${spoilt}` : ''}`,
      fix: spoilt
        ? 'an earlier step went too far: go back to a checkpoint, lower the learning rate, lengthen the warm-up or clip lower'
        : 'look at these rows, lower the learning rate, lengthen the warm-up or clip lower; run.resume() leaves the rows out and goes on',
    });
    this.rows = rows;
    this.weights = spoilt !== undefined;
  }
}

/** Throws {@link NonFinite} unless losses and gradients are finite and there is something to divide by. */
export async function refuseNonFinite(accident: Accident): Promise<void> {
  const { losses, squares, denominator, batches, parameters } = accident;
  const badLoss = losses.findIndex(value => !Number.isFinite(value));
  const badGradient = squares.findIndex(value => !Number.isFinite(value));
  if (badLoss < 0 && badGradient < 0 && denominator > 0) return;
  const matrix = badGradient < 0 ? undefined : parameters[badGradient]!.name;
  const what =
    badLoss >= 0
      ? `The loss is ${losses[badLoss]}${matrix ? ` (the first gradient that is not finite is that of ${matrix})` : ''}`
      : matrix
        ? `The gradient of ${matrix} is not finite`
        : `The weights of the labels add up to ${denominator}`;
  const spoilt = await firstSpoilt(parameters);
  throw new NonFinite(accident, { what, rows: badLoss < 0 ? batches.flat() : batches[badLoss]!, spoilt });
}

/** Name of the first weight with a value that is not finite. */
export async function firstSpoilt(parameters: readonly Parameter<tf.Tensor>[]): Promise<string | undefined> {
  if (parameters.length === 0) return undefined;
  const values = parameters.map(parameter => parameter.read());
  const sums = sumsOfSquares(values);
  tf.dispose(values);
  const squares = await sums.data();
  sums.dispose();
  return parameters[squares.findIndex(square => !Number.isFinite(square))]?.name;
}

/** Weights and optimizer memory as they were at a moment. Their values are shared until the next update, which then writes copies. */
export class GoodState {
  readonly #parameters: readonly Parameter<tf.Tensor>[];
  readonly #memory: OptimizerMemory;
  readonly #values: tf.Tensor[];
  readonly #slots: Parameter<tf.Tensor>[];
  readonly #updates: number;

  constructor(parameters: readonly Parameter<tf.Tensor>[], memory: OptimizerMemory) {
    this.#parameters = parameters;
    this.#memory = memory;
    this.#slots = Object.values(memory.state.slots).flat();
    this.#values = [...parameters, ...this.#slots].map(parameter => parameter.read());
    this.#updates = memory.state.updates;
  }

  restore(): void {
    [...this.#parameters, ...this.#slots].forEach((parameter, i) => {
      parameter.write(this.#values[i]!);
    });
    this.#memory.state.updates = this.#updates;
  }

  dispose(): void {
    tf.dispose(this.#values);
  }
}
