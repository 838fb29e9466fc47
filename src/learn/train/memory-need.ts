import { TunebookError } from '../../base/core/index.js';
import { type Optimizer, sizesOf, type TrainableModel, type TrainRow } from './types.js';

/** Bytes that training takes. */
export interface MemoryNeed {
  weights: number;
  /** Of the trained weights, twice where gradients are accumulated. */
  gradients: number;
  optimizer: number;
  /** What a forward pass keeps for the backward pass, for the largest batch: an estimate. */
  activations: number;
  total: number;
  /** Shape of that batch. */
  rows: number;
  longest: number;
}

/**
 * What a step needs, in bytes, float32. Weights and gradients are counted; the optimizer's share is known by its kind (AdamW two
 * values a weight, Lion and momentum one, Adafactor next to none, an average one more). Activations are estimated for a
 * pre-norm decoder whose ops keep their inputs: 10 · width + 3 · feed-forward values a token and layer, heads · length a token and
 * layer for attention's weights, and one chunk of logits.
 */
export function memoryNeed(
  model: TrainableModel,
  optimizer: Pick<Optimizer, 'name' | 'settings'>,
  batches: readonly (readonly TrainRow[])[],
): MemoryNeed {
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const weights = sum(model.parameters.map(({ bytes }) => bytes));
  const trained = sum(model.parameters.filter(({ trainable }) => trainable).map(({ bytes }) => bytes));
  const gradients = trained * (batches.length > 1 ? 2 : 1);
  const memory = trained * (valuesOf(optimizer) + (optimizer.settings.ema === undefined ? 0 : 1));
  const needs = batches.map(batch => ({ batch, bytes: activationsOf(model, batch) }));
  const largest = needs.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  const activations = largest.bytes;
  return {
    weights,
    gradients,
    optimizer: memory,
    activations,
    total: weights + gradients + memory + activations,
    rows: largest.batch.length,
    longest: Math.max(...largest.batch.map(({ ids }) => ids.length)),
  };
}

/** Whether an error says that memory ran out: TensorFlow's, JavaScript's, WebAssembly's and WebGPU's ways to put it. */
export function isOutOfMemory(error: unknown): boolean {
  const text = error instanceof Error ? `${error.name} ${error.message}` : String(error);
  return /\bOOM\b|out of memory|bad_alloc|RESOURCE_EXHAUSTED|(array buffer|arraybuffer|memory) allocation failed|invalid (typed )?array (buffer )?length|failed to allocate|cannot enlarge memory|maximum memory size exceeded/i.test(
    text,
  );
}

/** The error for memory that ran out: the numbers, and three ways to need less, each with what it saves. */
export function outOfMemory(
  step: number,
  need: MemoryNeed,
  setting: { batchSize: number; accumulate: number; optimizer: string; adapters: boolean; maxLength?: number },
  cause: unknown,
): TunebookError {
  const { batchSize, accumulate, optimizer } = setting;
  const half = Math.max(1, Math.floor(batchSize / 2));
  const shorter = Math.max(2, 2 ** Math.floor(Math.log2(Math.max(2, need.longest - 1))));
  const ways = [
    half < batchSize
      ? `batchSize: ${half}, accumulate: ${Math.ceil((batchSize * accumulate) / half)} gives the same steps and saves about ${megabytes(need.activations / 2)}`
      : undefined,
    setting.adapters
      ? undefined
      : `train an adapter, model.attach(models.lora({ rank: 8 })), which saves nearly all of the gradients and the optimizer's ${megabytes(need.gradients + need.optimizer)}`,
    `maxLength: ${shorter} cuts the longest rows (${need.longest} tokens) and saves about ${megabytes(need.activations * (1 - shorter / need.longest))}`,
    optimizer === 'adamw' && need.optimizer > 0
      ? `optimizer: 'adafactor' saves ${megabytes(need.optimizer)}, 'lion' half of it`
      : undefined,
    'a smaller model',
  ].filter(way => way !== undefined);
  return new TunebookError({
    problem:
      `Memory ran out at step ${step}. Needed, about: weights ${megabytes(need.weights)}, gradients ${megabytes(need.gradients)}, ` +
      `optimizer ${megabytes(need.optimizer)}, activations ${megabytes(need.activations)} ` +
      `(${need.rows} rows of up to ${need.longest} tokens), in all ${megabytes(need.total)}`,
    fix: ways
      .slice(0, 3)
      .map((way, i) => `(${i + 1}) ${way}`)
      .join('; '),
    cause,
  });
}

/** Values that an optimizer keeps for a trained weight. */
function valuesOf({ name, settings }: Pick<Optimizer, 'name' | 'settings'>): number {
  if (name === 'adamw') return 2;
  if (name === 'lion') return 1;
  if (name === 'sgd') return settings.momentum ? 1 : 0;
  if (name === 'adafactor') return settings.beta1 === undefined ? 0.01 : 1.01;
  return 2;
}

/** Values of activations at once beyond which logits are worked off in chunks, see `linearCrossEntropy`. */
const LOGITS = 1 << 24;

function activationsOf(model: TrainableModel, rows: readonly TrainRow[]): number {
  const config = sizesOf(model);
  if (!config) return 0;
  const tokens = rows.reduce((sum, { ids }) => sum + ids.length, 0);
  const pairs = rows.reduce((sum, { ids }) => sum + ids.length ** 2, 0);
  const width = config.hiddenSize;
  const layers = config.numHiddenLayers;
  const feedForward = config.intermediateSize ?? 4 * width;
  const logits = Math.min(LOGITS, tokens * (config.vocabSize ?? 0));
  return 4 * (layers * (tokens * (10 * width + 3 * feedForward) + pairs * config.numAttentionHeads) + 2 * logits);
}

function megabytes(bytes: number): string {
  return bytes >= 1e10
    ? `${(bytes / 1e9).toFixed(1)} GB`
    : `${bytes >= 1e7 ? Math.round(bytes / 1e6) : (bytes / 1e6).toFixed(1)} MB`;
}
