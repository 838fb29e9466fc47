import * as tf from '@tensorflow/tfjs-core';
import { BadInput } from '../../../base/core/index.js';
import { embeddingNoise } from '../../../base/ops/index.js';
import type { LinearModule } from '../adapter.js';
import type { ModelInput, TrainBatch } from '../batch.js';
import type { Generated } from '../generation/generate.js';
import type { GenerateOptions } from '../generation/options.js';
import type { Stepper } from '../generation/stepper.js';
import { type LossAndGradients, type LossOptions, type LossSum, Model, type OriginalFiles } from '../model.js';
import type { ModelParameter } from '../parameter.js';
import { HEAD, type Weights } from '../reading.js';
import { encoderRows, type T5Input, type T5Targets, type T5TrainBatch, t5Targets } from './batch.js';
import type { T5Config } from './config.js';
import { t5ToHuggingFace } from './hugging-face.js';
import { layTargets, t5Logits, t5LossSum, t5TokenLosses } from './loss.js';
import { T5Stepper } from './stepper.js';
import { SHARED } from './weights.js';

/**
 * An encoder–decoder: T5, T5 1.1, FLAN-T5 (Raffel et al. 2020; Chung et al. 2022). The encoder reads `ids`, the decoder says what
 * stands in `labels` (training), `decoderIds` (logits), or what is generated.
 */
export class T5Model extends Model {
  constructor(
    readonly config: T5Config,
    base: readonly ModelParameter[],
    original: OriginalFiles = {},
  ) {
    super(base, original);
  }

  /** The token every row of the decoder begins with. */
  get startIds(): readonly number[] {
    return [this.config.decoderStartTokenId];
  }

  /**
   * Logits of every position of the decoder: [batch, decoder time, vocabSize]; zeros behind the end of shorter rows.
   * `ids` may be padded on either side, with an attention mask, or ragged; `decoderIds` begin with the start token.
   */
  override logits(input: ModelInput & Partial<Pick<T5Input, 'decoderIds'>>): tf.Tensor3D {
    refuseSegments(input);
    return this.#pass(weights => t5Logits(input as T5Input, weights, this.config));
  }

  /**
   * Loss and gradients of a batch: `labels` are what the decoder is to say to each row of `ids`, of lengths of their own, −100
   * where nothing is trained. What it is fed are the labels behind the start token.
   */
  override lossAndGradients(batch: TrainBatch, options: LossOptions = {}): LossAndGradients {
    this.alive();
    if (options.recompute)
      throw new BadInput({
        problem: 'T5 cannot compute its layers again in the backward pass',
        where: { key: 'recompute' },
        fix: 'leave it out; smaller batches with accumulate need less memory too',
      });
    const targets = this.#targets(batch);
    const { denominator } = targets;
    if (targets.keep.length === 0)
      return { numerator: tf.scalar(0), denominator, unit: 'token', gradients: this.zeroGradients() };
    return tf.tidy(() => {
      const pair = layTargets(targets, this.config);
      if (options.neftune && options.seed !== undefined) {
        const lengths = targets.encoder.map(row => row.length);
        pair.encoder.noise = embeddingNoise(lengths, this.config.hiddenSize, options.neftune, options.seed);
      }
      const { value, gradients } = this.differentiate((weights, values) => {
        refuseVirtual(weights);
        return t5LossSum(pair, weights, values, this.config, options);
      }, options);
      pair.dispose();
      return { numerator: value, denominator, unit: 'token' as const, gradients };
    });
  }

  override lossSum(batch: TrainBatch): LossSum {
    const targets = this.#targets(batch);
    const numerator = this.#losses(targets).reduce((sum, loss, i) => sum + loss * targets.weights[i]!, 0);
    return { numerator, denominator: targets.denominator, unit: 'token' };
  }

  /** What every label costs the model, in nats: `[row][t]` is −log p(labels[t] | ids, earlier labels), NaN where it is −100. */
  override tokenLosses({ ids, labels }: { ids: number[][]; labels?: number[][] }): number[][] {
    const targets = this.#targets({ ids, labels: labels ?? needLabels() });
    const losses = this.#losses(targets);
    let next = 0;
    return labels!.map(row => row.map(id => (id === -100 ? Number.NaN : losses[next++]!)));
  }

  /** As for every model, but `ids` of the result are the new tokens alone: the prompt is the encoder's. */
  override async generate(ids: number[][], options: GenerateOptions = {}): Promise<Generated> {
    return super.generate(ids, options);
  }

  protected override prompts(ids: number[][], attentionMask?: number[][]): number[][] {
    const { rows, hidden } = encoderRows({ ids, attentionMask }, this.config);
    if (hidden)
      throw new BadInput({
        problem: 'The attention mask hides tokens in the midst of a row',
        where: { key: 'attentionMask' },
        expected: 'padding at the ends of rows only',
        fix: 'take the tokens out',
      });
    return rows;
  }

  override stepper(): Stepper {
    this.alive();
    return new T5Stepper({
      config: this.config,
      readWeights: () => {
        const weights = this.readWeights();
        refuseVirtual(weights);
        return weights;
      },
    });
  }

  override linearModules(): LinearModule[] {
    return this.baseParameters
      .filter(({ name, shape }) => shape.length === 2 && !NOT_LINEAR.test(name))
      .map(({ name, shape }) => ({
        module: name.slice(0, -'.weight'.length),
        inFeatures: shape[1]!,
        outFeatures: shape[0]!,
        transposed: false,
      }));
  }

  override vocabularyMatrices(): string[] {
    return this.config.tieWordEmbeddings ? [SHARED] : [SHARED, HEAD];
  }

  override huggingFaceConfig(): Record<string, unknown> {
    return t5ToHuggingFace(this.config, this.original.config);
  }

  #targets(batch: TrainBatch): T5Targets {
    refuseSegments(batch);
    return t5Targets(batch as T5TrainBatch, this.config);
  }

  #losses(targets: T5Targets): Float32Array {
    this.alive();
    if (targets.keep.length === 0) return new Float32Array(0);
    const losses = this.#pass(weights => t5TokenLosses(targets, weights, this.config));
    try {
      return losses.dataSync() as Float32Array;
    } finally {
      losses.dispose();
    }
  }

  #pass<T extends tf.Tensor>(work: (weights: Weights) => T): T {
    this.alive();
    return tf.tidy(() => {
      const weights = this.readWeights();
      refuseVirtual(weights);
      return work(weights);
    });
  }
}

/** Embeddings, the head and the tables of relative positions. */
const NOT_LINEAR = /^(shared|lm_head)\.weight$|\.relative_attention_bias\.weight$/;

function refuseSegments({ segmentIds }: { segmentIds?: number[][] }): void {
  if (segmentIds)
    throw new BadInput({
      problem: 'Packed rows are for decoders: an encoder–decoder has two rows a sample',
      where: { key: 'segmentIds' },
      fix: 'leave packing out',
    });
}

function refuseVirtual({ virtualTokens }: Weights): void {
  if (virtualTokens > 0)
    throw new BadInput({
      problem: 'Soft prompts and prefixes are for decoders: this model is an encoder–decoder',
      fix: 'use LoRA, IA³ or bottleneck adapters',
    });
}

function needLabels(): never {
  throw new BadInput({
    problem: 'The losses of an encoder–decoder are those of its labels',
    where: { key: 'labels' },
    expected: 'one row of labels for every row of ids',
    fix: 'pass tokenLosses({ ids, labels })',
  });
}
