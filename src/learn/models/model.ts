import * as tf from '@tensorflow/tfjs-core';
import { BadInput, setView } from '../../base/core/index.js';
import { causalAttention, linearCrossEntropy, matmul, rope, tokenCrossEntropy } from '../../base/ops/index.js';
import { type ModelInput, type TrainBatch, targets, unpad } from './batch.js';
import type { DecoderConfig } from './config.js';
import { type Attend, decode, headName, type Weights } from './decoder.js';
import { type Generated, type GenerateOptions, generate } from './generate.js';
import { type Packed, pack } from './packed.js';
import type { ModelParameter } from './parameter.js';
import { saveModel } from './save.js';

/** A loss before it is normalised (contract 2): an optimizer step divides Σ numerators by Σ denominators. */
export interface LossSum {
  /** Σ weight · loss over the trained tokens, in nats. */
  numerator: number;
  /** Σ weight over the trained tokens. */
  denominator: number;
  unit: 'token';
}

/** What a differentiable extra loss sees of a pass. */
export interface TrainPass {
  /** Hidden states of the labelled positions, [labelled, hiddenSize]. */
  hidden: tf.Tensor2D;
  /** The matrix that turns them into logits, [vocabSize, hiddenSize]. */
  head: tf.Tensor2D;
  /** Labels of those positions, int32. */
  labels: tf.Tensor1D;
  /** Logits of those positions, computed when asked: [labelled, vocabSize]. */
  logits(): tf.Tensor2D;
  /** The values of the weights that this pass differentiates by, by name. */
  weights: ReadonlyMap<string, tf.Tensor>;
}

/** Options of {@link Model.lossAndGradients}. */
export interface LossOptions {
  /** A differentiable term that is added to the numerator, e.g. the KL to a reference. Not called for a batch without labels. */
  extra?: (pass: TrainPass) => tf.Scalar;
}

/** Loss and gradients of a batch; the caller disposes `numerator` and `gradients`. */
export interface LossAndGradients {
  numerator: tf.Scalar;
  denominator: number;
  unit: 'token';
  /** Gradients of the numerator (the sum, not the mean), in the order of the trainable parameters. */
  gradients: tf.Tensor[];
}

type Rows = Pick<TrainBatch, 'ids' | 'segmentIds'>;

/** A Llama-shape decoder with its weights. Made by {@link load} or {@link init}. */
export class Model {
  readonly #byName: Map<string, ModelParameter>;
  #disposed = false;

  constructor(
    readonly config: DecoderConfig,
    /** All weights in the order of the layers, under their Hugging Face names. */
    readonly parameters: readonly ModelParameter[],
    /** config.json and generation_config.json as loaded: settings we do not use are kept when the model is saved. */
    readonly original: { config?: Record<string, unknown>; generation?: Record<string, unknown> } = {},
  ) {
    this.#byName = new Map(parameters.map(p => [p.name, p]));
  }

  /** The weight of this name; BadInput when there is none. */
  parameter(name: string): ModelParameter {
    const found = this.#byName.get(name);
    if (!found)
      throw new BadInput({
        problem: 'The model has no weight of this name',
        where: { key: name },
        fix: 'model.parameters.map(p => p.name) lists them',
      });
    return found;
  }

  /**
   * Put weights in place of those of the same names, which are disposed, and settings in place of the old ones: for changes
   * of shape, see `resizeVocabulary`.
   */
  replace(weights: readonly ModelParameter[], config: Partial<DecoderConfig>): void {
    this.#alive();
    const all = this.parameters as ModelParameter[];
    for (const weight of weights) {
      const old = this.parameter(weight.name);
      all[all.indexOf(old)] = weight;
      this.#byName.set(weight.name, weight);
      old.dispose();
    }
    Object.assign(this.config, config);
  }

  /** Tokens that end a generation: generation_config.json's, as chat models stop at more than config.json names, else config.json's. */
  get stopIds(): number[] {
    const eos = this.original.generation?.eos_token_id;
    const ids = (Array.isArray(eos) ? eos : [eos]).filter(id => Number.isInteger(id));
    return ids.length > 0 ? (ids as number[]) : this.config.eosTokenIds;
  }

  /** Number of weights, e.g. 333,216. */
  get size(): number {
    return this.parameters.reduce((sum, p) => sum + p.size, 0);
  }

  /** Bytes the weights hold while the model lives. */
  get bytes(): number {
    return this.parameters.reduce((sum, p) => sum + p.bytes, 0);
  }

  /**
   * Logits of every position: [batch, time, vocabSize]. Positions count the real tokens of a row, as transformers'
   * `generate` does; as rotary embeddings see differences alone, real positions get what transformers' `forward` gives
   * them for left- and right-padded rows. Padding positions are zeros. Ragged rows count as padded on the right. With
   * `segmentIds` every segment of a packed row gets the logits it would get alone.
   */
  logits(input: ModelInput): tf.Tensor3D {
    const { ids } = input;
    const { rows, segmentIds, slots, time } = unpad(input);
    return this.#pass({ ids: rows, segmentIds }, (packed, weights) => {
      const hidden = decode(packed.ids, weights, this.config, attendWithin(packed));
      const head = weights.get(headName(this.config)) as tf.Tensor2D;
      const flat = matmul(hidden, head, false, true);
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
  lossAndGradients(batch: TrainBatch, options: LossOptions = {}): LossAndGradients {
    this.#alive();
    const { keep, labels, weights, denominator } = targets(batch, this.config);
    const trained = this.parameters.filter(p => p.trainable);
    if (keep.length === 0) {
      const gradients = trained.map(p => tf.zeros([...p.shape]));
      return { numerator: tf.scalar(0), denominator, unit: 'token', gradients };
    }
    return tf.tidy(() => {
      const values = new Map(this.parameters.map(p => [p.name, p.read()]));
      const packed = pack(batch.ids, this.config, { segmentIds: batch.segmentIds });
      const [keepT, labelT] = [tf.tensor1d(keep, 'int32'), tf.tensor1d(labels, 'int32')];
      const weightT = tf.tensor1d(weights, 'float32');
      const forward = (...given: tf.Tensor[]): tf.Scalar => {
        const current = new Map(values);
        trained.forEach((p, i) => {
          current.set(p.name, given[i]!);
        });
        const reading = this.#reading(current);
        const hidden = decode(packed.ids, reading, this.config, attendWithin(packed), keepT);
        const name = headName(this.config);
        const head = reading.get(name) as tf.Tensor2D;
        const loss = linearCrossEntropy(hidden, head, labelT, weightT, { frozen: reading.frozen(name) });
        if (!options.extra) return loss;
        const logits = () => tf.matMul(hidden, head, false, true) as tf.Tensor2D;
        return tf.add(loss, options.extra({ hidden, head, labels: labelT, logits, weights: current }));
      };
      const inputs = trained.map(p => values.get(p.name)!);
      const { value, grads } = inputs.length > 0 ? tf.valueAndGrads(forward)(inputs) : { value: forward(), grads: [] };
      packed.dispose();
      return { numerator: value as tf.Scalar, denominator, unit: 'token' as const, gradients: grads };
    });
  }

  /** The loss of a batch without gradients. */
  lossSum(batch: TrainBatch): LossSum {
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
  tokenLosses({ ids, segmentIds }: { ids: number[][]; segmentIds?: number[][] }): number[][] {
    const { keep, labels } = targets({ ids, labels: ids, segmentIds }, this.config);
    const losses = keep.length > 0 ? this.#losses({ ids, segmentIds }, keep, labels) : new Float32Array(0);
    let next = 0;
    return ids.map((row, b) =>
      row.map((_, t) => {
        const first = t === 0 || (segmentIds && segmentIds[b]![t] !== segmentIds[b]![t - 1]);
        return first ? Number.NaN : losses[next++]!;
      }),
    );
  }

  /**
   * Continue every row. Greedy at temperature 0 (the default), seeded sampling above. Rows may be of different lengths, or
   * padded with an attention mask. Rows that reach a stop token rest while the others go on. Yields to the event loop at
   * every token and throws Interrupted when `signal` is aborted.
   */
  generate(ids: number[][], options: GenerateOptions = {}): Promise<Generated> {
    this.#alive();
    return generate(this, unpad({ ids, attentionMask: options.attentionMask }).rows, ids, options);
  }

  /** Write config.json, generation_config.json and model.safetensors (float32), each whole or not at all, as transformers loads them. */
  save(dir: string): Promise<void> {
    this.#alive();
    return saveModel(this, dir);
  }

  /** Free the weights. The model cannot be used afterwards. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const parameter of this.parameters) parameter.dispose();
  }

  /** The values of all weights for a pass without gradients; the caller disposes them (tidy). */
  readWeights(): Weights {
    this.#alive();
    return this.#reading(new Map(this.parameters.map(p => [p.name, p.read()])));
  }

  #reading(values: ReadonlyMap<string, tf.Tensor>): Weights {
    return {
      get: name => values.get(name)!,
      has: name => values.has(name),
      frozen: name => !this.#byName.get(name)!.trainable,
    };
  }

  #pass<T extends tf.Tensor>({ ids, segmentIds }: Rows, work: (packed: Packed, weights: Weights) => T): T {
    this.#alive();
    return tf.tidy(() => work(pack(ids, this.config, { segmentIds }), this.readWeights()));
  }

  #losses(rows: Rows, keep: Int32Array, labels: Int32Array): Float32Array {
    const losses = this.#pass(rows, (packed, weights) => {
      const hidden = decode(packed.ids, weights, this.config, attendWithin(packed), tf.tensor1d(keep, 'int32'));
      return tokenCrossEntropy(hidden, weights.get(headName(this.config)) as tf.Tensor2D, tf.tensor1d(labels, 'int32'));
    });
    try {
      return losses.dataSync() as Float32Array;
    } finally {
      losses.dispose();
    }
  }

  #alive(): void {
    if (this.#disposed) throw new BadInput({ problem: 'The model was disposed', fix: 'load it again, or dispose it later' });
  }
}

setView(Model, ({ config, size, bytes, parameters }) => {
  const trainable = parameters.reduce((sum, p) => sum + (p.trainable ? p.size : 0), 0);
  const weights = parameters.map(p => ({ name: p.name, shape: [...p.shape], trainable: p.trainable }));
  return {
    kind: 'model',
    data: { architecture: 'LlamaForCausalLM', config: { ...config }, parameters: size, trainable, bytes, weights },
  };
});

/** Attention of every token to the earlier ones of its row or segment. */
function attendWithin(packed: Packed): Attend {
  return (q, k, v) => causalAttention(rope(q, packed.queryRope), rope(k, packed.keyRope), v, packed.layout, 1);
}
