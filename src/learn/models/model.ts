import * as tf from '@tensorflow/tfjs-core';
import { BadInput, quote, setView } from '../../base/core/index.js';
import { recomputed, type SeenTokens } from '../../base/ops/index.js';
import type { Adapter, AdapterSpec, LinearModule } from './adapter.js';
import { AdapterSet } from './adapter-set.js';
import { type ModelInput, type TrainBatch, unpad } from './batch.js';
import { type Asked, type ChatOptions, ReplyStream } from './chat/index.js';
import type { ModelConfig } from './config/index.js';
import type { Recompute } from './decoder.js';
import { type SaveOptions, saveModel } from './files/save.js';
import { type BeamHypothesis, type BeamOptions, beamSearch } from './generation/beam.js';
import { type Completion, type ContinuousOptions, continuous } from './generation/continuous.js';
import { type Generated, generate } from './generation/generate.js';
import type { GenerateOptions } from './generation/options.js';
import { recommendedSampling } from './generation/recommended.js';
import type { Piece } from './generation/row.js';
import type { SamplingOptions } from './generation/sampling.js';
import type { Stepper, StepperOptions } from './generation/stepper.js';
import { stream } from './generation/stream.js';
import { freeingKept } from './kept.js';
import type { ModelParameter } from './parameter.js';
import { readWeights, type Weights } from './reading.js';
import { untrainedTokens } from './untrained-tokens.js';

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
  /** `extra` stands in place of the cross entropy, which is not computed. */
  only?: boolean;
  /** Seed of dropout masks, where adapters have dropout, and of NEFTune's noise; without it there is neither. */
  seed?: number;
  /**
   * Gradient checkpointing: keep the input of every layer alone, and compute the layer again in the backward pass. Less memory, about a
   * third more time, the same numbers.
   */
  recompute?: boolean;
  /** Label smoothing ε: the target is 1 − ε on the label and ε/vocabulary everywhere. Default 0. */
  labelSmoothing?: number;
  /**
   * NEFTune (Jain et al. 2023): uniform noise of ± alpha / √(length · hiddenSize) on the embeddings of every row (of T5: of the
   * encoder's rows). Needs `seed`.
   */
  neftune?: number;
  /** Shown losses and logits of the labelled positions, in order and chunk by chunk, inside the pass: see {@link SeenTokens}. */
  observe?: (seen: SeenTokens) => void;
}

/** Loss and gradients of a batch; the caller disposes `numerator` and `gradients`. */
export interface LossAndGradients {
  numerator: tf.Scalar;
  denominator: number;
  unit: 'token';
  /** Gradients of the numerator (the sum, not the mean), in the order of the trainable parameters. */
  gradients: tf.Tensor[];
}

/** config.json and generation_config.json as loaded: settings we do not use are kept when the model is saved. */
export interface OriginalFiles {
  config?: Record<string, unknown>;
  generation?: Record<string, unknown>;
  /** Where they lie. */
  directory?: string;
}

/** A language model with its weights, and adapters on it. Made by `load` or `init`. */
export abstract class Model {
  abstract readonly config: ModelConfig;
  readonly #base: ModelParameter[];
  readonly #byName: Map<string, ModelParameter>;
  readonly #adapters: AdapterSet;
  #disposed = false;

  constructor(
    /** All weights in the order of the layers, under their Hugging Face names. */
    base: readonly ModelParameter[],
    readonly original: OriginalFiles = {},
  ) {
    this.#base = base.slice();
    this.#byName = new Map(base.map(p => [p.name, p]));
    this.#adapters = new AdapterSet(this.#base, name => this.parameter(name));
  }

  /** The model's own weights and then those of every attached adapter. */
  get parameters(): readonly ModelParameter[] {
    return [...this.#base, ...this.#adapters.parameters];
  }

  /** The model's own weights, without adapters. */
  get baseParameters(): readonly ModelParameter[] {
    return this.#base;
  }

  /** The weight of this name; BadInput when there is none. */
  parameter(name: string): ModelParameter {
    const found = this.#byName.get(name) ?? this.#adapters.parameter(name);
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
  replace(weights: readonly ModelParameter[], config: Partial<ModelConfig>): void {
    this.alive();
    for (const weight of weights) {
      const old = this.parameter(weight.name);
      this.#base[this.#base.indexOf(old)] = weight;
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

  /**
   * The sampling that the model's generation_config.json recommends, {} where it recommends none. It is used where you say so, as greedy is
   * the default everywhere: `model.chat('Hello', { ...model.sampling, seed: 1 })`.
   */
  get sampling(): SamplingOptions {
    const { generation, directory } = this.original;
    return recommendedSampling(generation, directory && `${directory}/generation_config.json`);
  }

  /** Absolute path of the directory it was loaded from; undefined for one made by `init`. Tokenizer and chat template are there. */
  get directory(): string | undefined {
    return this.original.directory;
  }

  /** Number of weights, those of adapters included, e.g. 333,216. */
  get size(): number {
    return this.parameters.reduce((sum, p) => sum + p.size, 0);
  }

  /** Bytes the weights hold while the model lives. */
  get bytes(): number {
    return this.parameters.reduce((sum, p) => sum + p.bytes, 0);
  }

  /** Attached adapters by name. */
  get adapters(): ReadonlyMap<string, Adapter> {
    return this.#adapters.byName;
  }

  /** Names of the adapters in use. */
  get inUse(): readonly string[] {
    return this.#adapters.inUse.map(adapter => adapter.name);
  }

  /**
   * Put an adapter on the model, e.g. `model.attach(models.lora({ rank: 8 }))`, and use it alone. The model's own weights are
   * frozen: no gradient and no optimizer state is allocated for them.
   */
  attach(spec: AdapterSpec, { name = 'default' }: { name?: string } = {}): Adapter {
    this.alive();
    if (typeof spec?.build !== 'function')
      throw new BadInput({
        problem: 'This is no adapter',
        expected: 'models.lora(…), ia3, promptTuning, prefixTuning or bottleneck',
        found: quote(spec ?? null),
        fix: 'model.attach(models.lora({ rank: 8 })); a saved one: models.loadAdapter(model, dir)',
      });
    return this.#adapters.attach(name, () => spec.build(this, name));
  }

  /** Use these attached adapters, in this order; none with `undefined`. Only adapters in use are trained. */
  use(names: string | readonly string[] | undefined): void {
    this.alive();
    this.#adapters.use(names === undefined ? [] : [names].flat());
  }

  /** Take an adapter off and free its weights. With the last one the model's own weights become trainable as they were. */
  detach(name: string): void {
    this.alive();
    this.#adapters.detach(name);
  }

  /** Fold the adapter into the model's own weights, so that it costs nothing; {@link unmerge} gives the old weights back, bit by bit. */
  merge(name = 'default'): void {
    this.alive();
    this.#adapters.merge(name);
  }

  /** Undo {@link merge}. */
  unmerge(): void {
    this.alive();
    this.#adapters.unmerge();
  }

  /** The linear modules an adapter may stand on: every matrix but embeddings and the head. */
  abstract linearModules(): LinearModule[];

  /** Names of the matrices that have a row for every token: the embedding, and the head where it is its own. */
  abstract vocabularyMatrices(): string[];

  /**
   * Tokens that training as it is set up now cannot teach: their row in the embedding or the head was never trained (it is zero, or
   * the mean of all), and base weights and adapters in use leave it frozen.
   */
  untrainedTokens(): ReadonlySet<number> {
    this.alive();
    return untrainedTokens(this);
  }

  /** Logits of every position: [batch, time, vocabSize]. */
  abstract logits(input: ModelInput): tf.Tensor3D;

  /** Loss and gradients of a batch, summed over its trained tokens. Without a single label everything is zero. */
  abstract lossAndGradients(batch: TrainBatch, options?: LossOptions): LossAndGradients;

  /** The loss of a batch without gradients. */
  abstract lossSum(batch: TrainBatch): LossSum;

  /**
   * What every token costs the model, in nats; NaN where nothing predicts one.
   * @param batch `from`, for decoders: by row, the first token whose loss is wanted; those before it are NaN. What rows have in common
   * before is then computed once, where that pays
   */
  abstract tokenLosses(batch: { ids: number[][]; segmentIds?: number[][]; labels?: number[][]; from?: number[] }): number[][];

  /** The model's side of generation: rows with their key-value cache. The caller disposes it. */
  abstract stepper(options?: StepperOptions): Stepper;

  /** Whether steppers compute a beginning that prompts share once, for rows that will have this many tokens in the end. */
  shares(_capacity: number): boolean {
    return false;
  }

  /**
   * Continue every row. Greedy at temperature 0 (the default, whatever generation_config.json says: {@link sampling}), seeded sampling above. Rows may be of different lengths, or
   * padded with an attention mask. Rows that reach a stop token rest while the others go on. Yields to the event loop at
   * every token and throws Interrupted when `signal` is aborted.
   */
  generate(ids: number[][], options: GenerateOptions = {}): Promise<Generated> {
    this.alive();
    return generate(this, this.prompts(ids, options.attentionMask), options, ids);
  }

  /**
   * {@link generate} token by token: `for await (const { text } of model.stream([ids], { tokenizer })) …`. Rows come step by step;
   * `piece.row` says which one. Leaving the loop frees everything.
   */
  stream(ids: number[][], options: GenerateOptions = {}): AsyncGenerator<Piece, void> {
    this.alive();
    return stream(this, this.prompts(ids, options.attentionMask), options);
  }

  /**
   * {@link generate} for many prompts, `slots` of them at a time: a row that ends leaves and the next prompt takes its place.
   * Yields each as it ends.
   */
  continuous(ids: number[][], options: ContinuousOptions = {}): AsyncGenerator<Completion, void> {
    this.alive();
    return continuous(this, this.prompts(ids, options.attentionMask), options);
  }

  /** Beam search, as transformers does it: by prompt the best `numReturnSequences` of `numBeams` hypotheses, best first. */
  beamSearch(ids: number[][], options: BeamOptions = {}): Promise<BeamHypothesis[][]> {
    this.alive();
    return beamSearch(this, this.prompts(ids, options.attentionMask), options, ids);
  }

  /** Prompts without their padding. */
  protected prompts(ids: number[][], attentionMask?: number[][]): number[][] {
    return unpad({ ids, attentionMask }).rows;
  }

  /**
   * Ask the model. It is written with the template, and ends at the template's stop tokens or the model's; tokenizer and
   * template come from the directory the model was loaded from unless given. Await the answer, or read it as it comes:
   * `for await (const piece of model.chat('Hello')) process.stdout.write(piece.text)`. Awaited in a notebook it is shown there while
   * it is written. Greedy unless `temperature` says otherwise; {@link sampling} is what the model's makers recommend.
   * @param conversation messages, a row, or a text, which is one message of the user.
   */
  chat(conversation: Asked, options: ChatOptions = {}): ReplyStream {
    this.alive();
    return new ReplyStream(this, conversation, options);
  }

  /**
   * Write config.json, generation_config.json and the model's own weights, all of them or nothing, as transformers loads
   * them. Adapters are saved with `saveAdapter`; a merged one is part of the weights.
   */
  save(dir: string, options: SaveOptions = {}): Promise<void> {
    this.alive();
    return saveModel(this, dir, options);
  }

  /** config.json as transformers reads it. */
  abstract huggingFaceConfig(): Record<string, unknown>;

  /** Free the weights, adapters included. The model cannot be used afterwards. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#adapters.dispose();
    for (const parameter of this.#base) parameter.dispose();
  }

  /**
   * The weights for a pass without gradients, adapters in use included; the caller disposes their values (tidy).
   * @param values those of {@link readValues}, when they serve for several passes
   */
  readWeights(values: ReadonlyMap<string, tf.Tensor> = this.#values()): Weights {
    this.alive();
    return this.#reading(values);
  }

  /** The values of all weights by name, those of adapters in use included. The caller disposes them. */
  readValues(): ReadonlyMap<string, tf.Tensor> {
    this.alive();
    return this.#values();
  }

  /** Whether the matrix of a linear module is stored [in, out]. */
  protected transposed(_module: string): boolean {
    return false;
  }

  /**
   * Value and gradients, in the order of the trainable parameters, of a scalar function of the weights. To be called in a tidy.
   * Values that someone else's code (`extra`) does not see are gone with it, and are borrowed.
   */
  protected differentiate(
    loss: (weights: Weights, values: ReadonlyMap<string, tf.Tensor>, recompute: Recompute) => tf.Scalar,
    { seed, extra }: Pick<LossOptions, 'seed' | 'extra'> = {},
  ): { value: tf.Scalar; gradients: tf.Tensor[] } {
    const trained = this.parameters.filter(p => p.trainable);
    const values = this.#values(extra === undefined);
    const forward = (...given: tf.Tensor[]): tf.Scalar => {
      const current = new Map(values);
      trained.forEach((p, i) => {
        current.set(p.name, given[i]!);
      });
      return loss(this.#reading(current, seed), current, this.#recompute(current, trained, seed));
    };
    const inputs = trained.map(p => values.get(p.name)!);
    if (inputs.length === 0) return { value: forward(), gradients: [] };
    // Not tf.valueAndGrads, which refuses weights that took no part: experts that no token chose.
    const { value, grads } = freeingKept(() => tf.engine().gradients(() => forward(...inputs), inputs, undefined, true));
    return { value: value as tf.Scalar, gradients: inputs.map((input, i) => grads[i] ?? tf.zerosLike(input)) };
  }

  /** Gradients of a batch without labels. */
  protected zeroGradients(): tf.Tensor[] {
    return this.parameters.filter(p => p.trainable).map(p => tf.zeros([...p.shape]));
  }

  protected alive(): void {
    if (this.#disposed) throw new BadInput({ problem: 'The model was disposed', fix: 'load it again, or dispose it later' });
  }

  #values(borrowed: boolean = false): Map<string, tf.Tensor> {
    const used = this.#adapters.inUse.flatMap(adapter => adapter.parameters);
    return new Map([...this.#base, ...used].map(p => [p.name, (borrowed && p.borrow?.()) || p.read()]));
  }

  /** Runs a part of the model that is computed again for its gradient; the part's own weights are differentiated with it. */
  #recompute(values: ReadonlyMap<string, tf.Tensor>, trained: readonly ModelParameter[], seed?: number): Recompute {
    return (module, x, part) => {
      const own = trained.filter(({ name }) => name.startsWith(`${module}.`) || !this.#isLayered(name));
      return recomputed([x, ...own.map(({ name }) => values.get(name)!)], (x, ...given) => {
        const current = new Map(values);
        own.forEach(({ name }, i) => {
          current.set(name, given[i]!);
        });
        return part(x as tf.Tensor2D, this.#reading(current, seed));
      });
    };
  }

  /** Whether no layer but its own uses this weight: not so for the model's ends, and for a prefix's keys and values. */
  #isLayered(name: string): boolean {
    return this.#byName.has(name) || /\.(layers|h|block)\.\d+\./.test(name);
  }

  #reading(values: ReadonlyMap<string, tf.Tensor>, seed?: number): Weights {
    const matrices = this.vocabularyMatrices();
    return readWeights({
      values,
      parameter: name => this.parameter(name),
      adapters: this.#adapters.inUse,
      transposed: module => this.transposed(module),
      tied: matrices.length === 1 ? matrices[0] : undefined,
      seed,
    });
  }
}

setView(Model, model => {
  const { config, size, bytes, parameters } = model;
  const trainable = parameters.reduce((sum, p) => sum + (p.trainable ? p.size : 0), 0);
  const owner = new Map([...model.adapters].flatMap(([name, { parameters }]) => parameters.map(p => [p.name, name])));
  const weights = parameters.map(p => ({
    name: p.name,
    shape: [...p.shape],
    trainable: p.trainable,
    group: owner.get(p.name) ?? 'base',
  }));
  const adapters = Array.from(model.adapters.values(), ({ name, kind }) => ({
    name,
    kind,
    inUse: model.inUse.includes(name),
  }));
  const architecture = (model.huggingFaceConfig().architectures as string[])[0];
  return {
    kind: 'model',
    data: { architecture, config: { ...config }, parameters: size, trainable, bytes, weights, adapters },
  };
});
