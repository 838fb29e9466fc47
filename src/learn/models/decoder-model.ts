import * as tf from '@tensorflow/tfjs-core';
import { embeddingNoise, matmul, softcapped, tokenCrossEntropy } from '../../base/ops/index.js';
import type { LinearModule } from './adapter.js';
import { attendWithin } from './attend.js';
import { type ModelInput, segmentLengths, type TrainBatch, targets, unpad } from './batch.js';
import { type DecoderConfig, toHuggingFace } from './config/index.js';
import { type Attending, decode } from './decoder.js';
import { decoderShares, decoderStepper } from './generation/decoder-stepper.js';
import { sharedByAll } from './generation/shared-beginnings.js';
import { SharedPrefix } from './generation/shared-prefix.js';
import type { Stepper, StepperOptions } from './generation/stepper.js';
import { type LossAndGradients, type LossOptions, type LossSum, Model, type OriginalFiles } from './model.js';
import { headName, modelNames } from './names.js';
import { objective } from './objective.js';
import { type Packed, pack } from './packed.js';
import type { ModelParameter } from './parameter.js';
import { HEAD, type Weights } from './reading.js';

type Rows = Pick<TrainBatch, 'ids' | 'segmentIds'>;

/** A decoder of any of the families. */
export class DecoderModel extends Model {
  constructor(
    readonly config: DecoderConfig,
    base: readonly ModelParameter[],
    original: OriginalFiles = {},
  ) {
    super(base, original);
  }

  /**
   * Logits of every position: [batch, time, vocabSize]. Positions count the real tokens of a row, as transformers'
   * `generate` does; as rotary embeddings see differences alone, real positions get what transformers' `forward` gives
   * them for left- and right-padded rows. Padding positions are zeros. Ragged rows count as padded on the right. With
   * `segmentIds` every segment of a packed row gets the logits it would get alone. Virtual tokens of a soft prompt have none.
   */
  override logits(input: ModelInput): tf.Tensor3D {
    const { ids } = input;
    const { rows, segmentIds, slots, time } = unpad(input);
    return this.#pass({ ids: rows, segmentIds }, (packed, weights, attending) => {
      const keep =
        packed.slots &&
        tf.tensor1d(
          slots.map((_, i) => packed.place(i)),
          'int32',
        );
      const hidden = decode({ ...packed, ...attending, keep }, weights, this.config);
      const head = weights.get(HEAD) as tf.Tensor2D;
      const flat = softcapped(matmul(hidden, head, false, true), this.config.logitSoftcap);
      const shape: [number, number, number] = [ids.length, time, this.config.vocabSize];
      if (slots.length === ids.length * time) return tf.reshape(flat, shape);
      const spread = tf.unsortedSegmentSum(flat, tf.tensor1d(slots, 'int32'), ids.length * time);
      return tf.reshape(spread, shape);
    });
  }

  /**
   * Loss and gradients of a batch, summed over its trained tokens. No product works on padding and logits exist for
   * labelled positions only, so a batch costs what its rows cost one by one. Without a single label everything is zero.
   */
  override lossAndGradients(batch: TrainBatch, options: LossOptions = {}): LossAndGradients {
    this.alive();
    const { keep, labels, weights: factors, denominator } = targets(batch, this.config);
    if (keep.length === 0) return { numerator: tf.scalar(0), denominator, unit: 'token', gradients: this.zeroGradients() };
    return tf.tidy(() => {
      const packed = this.#pack(batch);
      const keepT = tf.tensor1d(keep.map(packed.place), 'int32');
      const labelT = tf.tensor1d(labels, 'int32');
      const factorT = tf.tensor1d(factors, 'float32');
      const { hiddenSize, logitSoftcap: softcap } = this.config;
      const noise =
        options.neftune && options.seed !== undefined
          ? embeddingNoise(segmentLengths(batch.ids, batch.segmentIds), hiddenSize, options.neftune, options.seed)
          : undefined;
      try {
        const { value, gradients } = this.differentiate((weights, values, recompute) => {
          const input = { ...packed, ...attendWithin(packed, this.config), keep: keepT, noise };
          const hidden = decode(options.recompute ? { ...input, recompute } : input, weights, this.config);
          return objective({ hidden, labels: labelT, factors: factorT, weights, values, softcap }, options);
        }, options);
        return { numerator: value, denominator, unit: 'token' as const, gradients };
      } finally {
        packed.dispose();
      }
    });
  }

  override lossSum(batch: TrainBatch): LossSum {
    const { keep, labels, weights, denominator } = targets(batch, this.config);
    if (keep.length === 0) return { numerator: 0, denominator, unit: 'token' };
    const losses = this.#losses(batch, keep, labels);
    let numerator = 0;
    losses.forEach((loss, i) => {
      numerator += loss * weights[i]!;
    });
    return { numerator, denominator, unit: 'token' };
  }

  /**
   * What every token of the rows costs the model, in nats, whether it is trained or not: `[row][t]` is −log p(ids[t] |
   * earlier ids), NaN for t = 0, which nothing predicts, and likewise for the first token of every segment of packed rows.
   */
  override tokenLosses({ ids, segmentIds, from }: { ids: number[][]; segmentIds?: number[][]; from?: number[] }): number[][] {
    const shared = from && !segmentIds ? this.#sharedBeginning(ids, from) : [];
    const rows = shared.length > 0 ? ids.map(row => row.slice(shared.length)) : ids;
    const wanted = rows.map((row, b) => row.map((id, t) => (t + shared.length < (from?.[b] ?? 0) ? -100 : id)));
    const { keep, labels } = targets({ ids: rows, labels: wanted, segmentIds }, this.config);
    const losses = keep.length > 0 ? this.#losses({ ids: rows, segmentIds }, keep, labels, shared) : new Float32Array(0);
    let next = 0;
    return ids.map((row, b) =>
      row.map((_, t) => {
        const first = t === 0 || (segmentIds && segmentIds[b]![t] !== segmentIds[b]![t - 1]);
        return first || t < (from?.[b] ?? 0) ? Number.NaN : losses[next++]!;
      }),
    );
  }

  override stepper(options: StepperOptions = {}): Stepper {
    this.alive();
    return decoderStepper(this, options);
  }

  override shares(capacity: number): boolean {
    return decoderShares(this, capacity);
  }

  override linearModules(): LinearModule[] {
    const names = modelNames(this.config);
    const others = new Set([names.embedding, names.positions, names.head].map(module => `${module}.weight`));
    const { transposed } = names;
    return this.baseParameters
      .filter(({ name, shape }) => shape.length === 2 && name.endsWith('.weight') && !others.has(name))
      .map(({ name, shape }) => {
        const [outFeatures, inFeatures] = (transposed ? [shape[1], shape[0]] : shape) as [number, number];
        return { module: name.slice(0, -'.weight'.length), inFeatures, outFeatures, transposed };
      });
  }

  override vocabularyMatrices(): string[] {
    return [...new Set([`${modelNames(this.config).embedding}.weight`, headName(this.config)])];
  }

  override huggingFaceConfig(): Record<string, unknown> {
    return toHuggingFace(this.config, this.original.config);
  }

  protected override transposed(): boolean {
    return modelNames(this.config).transposed;
  }

  /** What all rows begin with before their last token that is not wanted, where it pays to compute that once. */
  #sharedBeginning(ids: readonly (readonly number[])[], from: readonly number[]): readonly number[] {
    const before = ids.map((row, b) => row.slice(0, from[b]));
    const longest = Math.max(...ids.map(row => row.length));
    return this.shares(longest) && ids.length > 1 ? before[0]!.slice(0, sharedByAll(before)) : [];
  }

  #pack({ ids, segmentIds }: Rows): Packed {
    const virtualTokens = this.inUse.reduce((sum, name) => sum + this.adapters.get(name)!.virtualTokens, 0);
    return pack(ids, this.config, { segmentIds, virtualTokens });
  }

  /** @param shared what the rows go on behind */
  #pass<T extends tf.Tensor>(
    rows: Rows,
    work: (packed: Packed, weights: Weights, attending: Attending) => T,
    shared: readonly number[] = [],
  ): T {
    this.alive();
    return tf.tidy(() => {
      const weights = this.readWeights();
      const prefix = shared.length > 0 ? SharedPrefix.of(shared, weights, this.config) : undefined;
      try {
        const packed = prefix ? pack(rows.ids, this.config, { behind: prefix.length }) : this.#pack(rows);
        try {
          return work(packed, weights, prefix ? { attend: prefix.behind(packed) } : attendWithin(packed, this.config));
        } finally {
          packed.dispose();
        }
      } finally {
        prefix?.dispose();
      }
    });
  }

  #losses(rows: Rows, keep: Int32Array, labels: Int32Array, shared?: readonly number[]): Float32Array {
    const work = (packed: Packed, weights: Weights, attending: Attending) => {
      const keepT = tf.tensor1d(keep.map(packed.place), 'int32');
      const hidden = decode({ ...packed, ...attending, keep: keepT }, weights, this.config);
      const head = weights.get(HEAD) as tf.Tensor2D;
      return tokenCrossEntropy(hidden, head, tf.tensor1d(labels, 'int32'), { softcap: this.config.logitSoftcap });
    };
    const losses = this.#pass(rows, work, shared);
    try {
      return losses.dataSync() as Float32Array;
    } finally {
      losses.dispose();
    }
  }
}
