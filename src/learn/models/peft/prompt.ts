import * as tf from '@tensorflow/tfjs-core';
import { BadInput, quote, Random } from '../../../base/core/index.js';
import type { Adapter } from '../adapter.js';
import type { Model } from '../model.js';
import { createParameter, type ModelParameter } from '../parameter.js';
import type { FiledSpec, PeftFormat } from './format.js';
import { checkOptions, checkVirtualTokens, decoderConfig, peftConfig, readVirtualTokens, sameBase } from './virtual-tokens.js';

/** What a soft prompt's first values are read with; a `tokens.Tokenizer` is one. */
export interface PromptTokenizer {
  encode(text: string, options?: { addSpecialTokens?: boolean }): { ids: readonly number[] };
}

/** Options of {@link promptTuning}. */
export interface PromptTuningOptions {
  /** Virtual tokens before every row. Defaults to 8. */
  virtualTokens?: number;
  /**
   * First values. `random` (the default): normal, as wide as the base's own embeddings (PEFT draws them with a standard deviation
   * of 1, many times wider). `vocabulary`: embeddings of tokens drawn at random. A text: the embeddings of its tokens,
   * repeated or cut to `virtualTokens` (PEFT's rule; the tokenizer's special tokens are among them).
   */
  init?: 'random' | 'vocabulary' | { text: string; tokenizer: PromptTokenizer };
  /** Seed of the first values. Defaults to 0. */
  seed?: number | string;
}

/** The one tensor of the file. */
const FILE_NAME = 'prompt_embeddings';

/**
 * A soft prompt (Lester et al. 2021): embeddings that are learned, put before every row at positions 0 … n − 1. Nothing else
 * of the model learns. PEFT's `PROMPT_TUNING`.
 */
export function promptTuning(options: PromptTuningOptions = {}): FiledSpec {
  checkOptions('promptTuning', options, ['virtualTokens', 'init', 'seed']);
  const { virtualTokens = 8, init = 'random', seed = 0 } = options;
  checkVirtualTokens(virtualTokens, 'virtualTokens');
  checkInit(init);
  return promptSpec({ virtualTokens, init, seed, original: {} });
}

interface PromptSettings extends Required<PromptTuningOptions> {
  /** adapter_config.json as it was read. */
  original: Readonly<Record<string, unknown>>;
}

function promptSpec({ virtualTokens, init, seed, original }: PromptSettings): FiledSpec {
  const configOf = (model: Model) => {
    const shape = decoderConfig(model, 'Prompt tuning', virtualTokens);
    sameBase(original, { token_dim: shape.hiddenSize, num_layers: shape.numHiddenLayers });
    return shape;
  };
  return {
    kind: 'prompt',
    plan: model => [{ file: FILE_NAME, shape: [virtualTokens, configOf(model).hiddenSize] }],
    build(model, name, values) {
      const { hiddenSize, numHiddenLayers, numAttentionHeads, embeddingScale } = configOf(model);
      const first = values?.get(FILE_NAME) ?? firstValues({ model, virtualTokens, init, seed, hiddenSize, embeddingScale });
      const embedding = createParameter(`prompt_encoder.${name}.embedding.weight`, [virtualTokens, hiddenSize], first);
      const config = {
        ...peftConfig(
          'PROMPT_TUNING',
          virtualTokens,
          { layers: numHiddenLayers, heads: numAttentionHeads, tokenDim: hiddenSize },
          original,
        ),
        // The values are what counts; TEXT would need the name of a tokenizer that Python finds.
        prompt_tuning_init: init === 'vocabulary' ? 'SAMPLE_VOCAB' : 'RANDOM',
        prompt_tuning_init_text: typeof init === 'object' ? init.text : (original.prompt_tuning_init_text ?? null),
        tokenizer_kwargs: null,
        tokenizer_name_or_path: null,
      };
      return new SoftPrompt(name, embedding, config);
    },
  };
}

/** PEFT's files of soft prompts. */
export const promptFormat: PeftFormat = {
  peftType: 'PROMPT_TUNING',
  spec: config => promptSpec({ ...readVirtualTokens(config), init: 'random', seed: 0 }),
};

class SoftPrompt implements Adapter {
  readonly kind = 'prompt';
  readonly parameters: readonly ModelParameter[];

  constructor(
    readonly name: string,
    private readonly embedding: ModelParameter,
    private readonly config: Record<string, unknown>,
  ) {
    this.parameters = [embedding];
  }

  get virtualTokens(): number {
    return this.embedding.shape[0]!;
  }

  pass({ value }: Parameters<Adapter['pass']>[0]): ReturnType<Adapter['pass']> {
    return { prompt: () => value(this.embedding) as tf.Tensor2D };
  }

  toPeft(): ReturnType<Adapter['toPeft']> {
    return { config: { ...this.config }, tensors: [{ name: FILE_NAME, parameter: this.embedding }] };
  }

  dispose(): void {
    this.embedding.dispose();
  }
}

function checkInit(init: unknown): void {
  const { text, tokenizer } = (init ?? {}) as { text?: unknown; tokenizer?: Partial<PromptTokenizer> };
  if (init === 'random' || init === 'vocabulary') return;
  if (typeof text === 'string' && typeof tokenizer?.encode === 'function') return;
  throw new BadInput({
    problem: 'No way to begin a soft prompt',
    where: { key: 'init' },
    expected: "'random', 'vocabulary', or { text, tokenizer }",
    found: quote(init),
  });
}

interface FirstValues {
  model: Model;
  virtualTokens: number;
  init: NonNullable<PromptTuningOptions['init']>;
  seed: number | string;
  hiddenSize: number;
  embeddingScale: number;
}

function firstValues({ model, virtualTokens, init, seed, hiddenSize, embeddingScale }: FirstValues): Float32Array {
  const random = new Random(seed).fork('prompt_encoder');
  const table = embeddingTable(model);
  const vocabulary = table.shape[0]!;
  if (init === 'random') {
    const deviation = embeddingScale * standardDeviation(table);
    return Float32Array.from({ length: virtualTokens * hiddenSize }, () => deviation * random.normal());
  }
  const ids =
    init === 'vocabulary'
      ? Array.from({ length: virtualTokens }, () => random.int(vocabulary))
      : textIds(init.text, init.tokenizer, virtualTokens, vocabulary);
  // As the model sees them: where it scales its embeddings (Gemma), a prompt, which it does not scale, begins scaled.
  const rows = tf.tidy(() => tf.mul(tf.gather(table.read(), tf.tensor1d(ids, 'int32')), embeddingScale));
  try {
    return rows.dataSync<'float32'>().slice();
  } finally {
    rows.dispose();
  }
}

/** Ids of a text, repeated or cut to `count`. */
function textIds(text: string, tokenizer: PromptTokenizer, count: number, vocabulary: number): number[] {
  const { ids } = tokenizer.encode(text, { addSpecialTokens: true });
  if (ids.length === 0)
    throw new BadInput({ problem: 'The text of the soft prompt has no tokens', where: { key: 'init.text' }, found: quote(text) });
  const strange = ids.find(id => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
  if (strange !== undefined)
    throw new BadInput({
      problem: 'The tokenizer has a token that the model does not have',
      where: { key: 'init.tokenizer' },
      expected: `ids from 0 to ${vocabulary - 1}`,
      found: `${strange}`,
      fix: 'use the tokenizer that belongs to the model',
    });
  return Array.from({ length: count }, (_, i) => ids[i % ids.length]!);
}

/** The token embeddings: the first weight whose name ends like one. */
function embeddingTable(model: Model): ModelParameter {
  const found = model.parameters.find(({ name }) => /(^|\.)(embed_tokens|wte|shared)\.weight$/.test(name));
  if (!found) throw new BadInput({ problem: 'The model has no token embeddings', fix: 'model.parameters lists its weights' });
  return found;
}

function standardDeviation(parameter: ModelParameter): number {
  const variance = tf.tidy(() => tf.moments(parameter.read()).variance);
  try {
    return Math.sqrt(variance.dataSync()[0]!);
  } finally {
    variance.dispose();
  }
}
