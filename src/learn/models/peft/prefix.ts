import * as tf from '@tensorflow/tfjs-core';
import { BadInput, quote, Random } from '../../../base/core/index.js';
import { linear } from '../../../base/ops/index.js';
import type { Adapter } from '../adapter.js';
import type { Model } from '../model.js';
import { createParameter, type ModelParameter } from '../parameter.js';
import type { FiledSpec, PeftFormat } from './format.js';
import { checkOptions, checkVirtualTokens, decoderConfig, peftConfig, readVirtualTokens, sameBase } from './virtual-tokens.js';

/** Options of {@link prefixTuning}. */
export interface PrefixTuningOptions {
  /** Virtual tokens before every row. Defaults to 8. */
  virtualTokens?: number;
  /**
   * Learn the prefix as the output of a small network, embedding → linear → tanh → linear, which trains more steadily (Li &
   * Liang 2021, section 4.3). A file holds what it computes; loaded again, the prefix is learned itself. Defaults to false.
   */
  prefixProjection?: boolean;
  /** Width of that network. Defaults to the width of the keys, as in PEFT. */
  encoderHiddenSize?: number;
  /** Seed of the first values. Defaults to 0. */
  seed?: number | string;
}

/** The one tensor of the file. */
const FILE_NAME = 'prompt_embeddings';

/**
 * A prefix (Li & Liang 2021): learned keys and values of virtual tokens, seen by every layer's attention before those of the
 * real tokens, which begin at position n. PEFT's `PREFIX_TUNING`, with its layout: row t of [n, 2 · layers · width] holds
 * layer 0's key, its value, layer 1's key … of virtual token t; keys are as attention sees them, not to be rotated.
 */
export function prefixTuning(options: PrefixTuningOptions = {}): FiledSpec {
  checkOptions('prefixTuning', options, ['virtualTokens', 'prefixProjection', 'encoderHiddenSize', 'seed']);
  const { virtualTokens = 8, prefixProjection = false, encoderHiddenSize, seed = 0 } = options;
  checkVirtualTokens(virtualTokens, 'virtualTokens');
  if (encoderHiddenSize !== undefined && !(Number.isSafeInteger(encoderHiddenSize) && encoderHiddenSize >= 1))
    throw new BadInput({
      problem: 'No width of a network',
      where: { key: 'encoderHiddenSize' },
      expected: 'a whole number of at least 1',
      found: quote(encoderHiddenSize),
    });
  return prefixSpec({ virtualTokens, prefixProjection, encoderHiddenSize, seed, original: {} });
}

interface PrefixSettings extends PrefixTuningOptions {
  virtualTokens: number;
  seed: number | string;
  /** adapter_config.json as it was read. */
  original: Readonly<Record<string, unknown>>;
}

function prefixSpec({ virtualTokens, prefixProjection, encoderHiddenSize, seed, original }: PrefixSettings): FiledSpec {
  const shapeOf = (model: Model) => {
    const { numHiddenLayers: layers, numKeyValueHeads: heads, headDim } = decoderConfig(model, 'Prefix tuning', virtualTokens);
    const width = heads * headDim;
    sameBase(original, { token_dim: width, num_layers: layers });
    return { layers, heads, width };
  };
  return {
    kind: 'prefix',
    plan(model) {
      const { layers, width } = shapeOf(model);
      return [{ file: FILE_NAME, shape: [virtualTokens, 2 * layers * width] }];
    },
    build(model, name, values) {
      const { layers, heads, width } = shapeOf(model);
      const random = new Random(seed).fork('prompt_encoder');
      const make = (part: string, shape: number[], draw: () => number) => {
        const size = shape.reduce((a, b) => a * b, 1);
        return createParameter(`prompt_encoder.${name}.${part}`, shape, Float32Array.from({ length: size }, draw));
      };
      // First values as torch.nn.Embedding and torch.nn.Linear have them.
      const normal = () => random.normal();
      const uniform = (fanIn: number) => () => (2 * random.next() - 1) / Math.sqrt(fanIn);
      const full = [virtualTokens, 2 * layers * width];
      const own = values?.get(FILE_NAME);
      const hidden = encoderHiddenSize ?? width;
      const config = {
        ...peftConfig('PREFIX_TUNING', virtualTokens, { layers, heads, tokenDim: width }, original),
        encoder_hidden_size: hidden,
        init_weights: null,
        prefix_projection: false,
      };
      if (own) {
        const embedding = createParameter(`prompt_encoder.${name}.embedding.weight`, full, own);
        return new Prefix(name, layers, { embedding }, config);
      }
      if (!prefixProjection) return new Prefix(name, layers, { embedding: make('embedding.weight', full, normal) }, config);
      const encoder = {
        embedding: make('embedding.weight', [virtualTokens, width], normal),
        transform: {
          in: make('transform.0.weight', [hidden, width], uniform(width)),
          inBias: make('transform.0.bias', [hidden], uniform(width)),
          out: make('transform.2.weight', [full[1]!, hidden], uniform(hidden)),
          outBias: make('transform.2.bias', [full[1]!], uniform(hidden)),
        },
      };
      return new Prefix(name, layers, encoder, { ...config, prefix_projection: true });
    },
  };
}

/** PEFT's files of prefixes. What a projection computed is in them, not the projection. */
export const prefixFormat: PeftFormat = {
  peftType: 'PREFIX_TUNING',
  spec: config => prefixSpec({ ...readVirtualTokens(config), seed: 0 }),
};

/** The parameters behind a prefix. */
interface Encoder {
  /** The prefix itself, [n, 2 · layers · width], or what the network makes it of, [n, width]. */
  embedding: ModelParameter;
  transform?: { in: ModelParameter; inBias: ModelParameter; out: ModelParameter; outBias: ModelParameter };
}

class Prefix implements Adapter {
  readonly kind = 'prefix';
  readonly parameters: readonly ModelParameter[];

  constructor(
    readonly name: string,
    private readonly layers: number,
    private readonly encoder: Encoder,
    private readonly config: Record<string, unknown>,
  ) {
    this.parameters = [encoder.embedding, ...Object.values(encoder.transform ?? {})];
  }

  get virtualTokens(): number {
    return this.encoder.embedding.shape[0]!;
  }

  pass({ value }: Parameters<Adapter['pass']>[0]): ReturnType<Adapter['pass']> {
    // Once a pass for all layers: its tensors live as long as the values it was made from.
    const parts = tf.split(computed(this.encoder, value), 2 * this.layers, 1) as tf.Tensor2D[];
    return { prefix: layer => ({ keys: parts[2 * layer]!, values: parts[2 * layer + 1]! }) };
  }

  toPeft(): ReturnType<Adapter['toPeft']> {
    const { embedding, transform } = this.encoder;
    const parameter = transform ? projected(this.encoder) : embedding;
    return { config: { ...this.config }, tensors: [{ name: FILE_NAME, parameter }] };
  }

  dispose(): void {
    for (const parameter of this.parameters) parameter.dispose();
  }
}

/** The prefix, [n, 2 · layers · width]. */
function computed({ embedding, transform }: Encoder, value: (parameter: ModelParameter) => tf.Tensor): tf.Tensor2D {
  const start = value(embedding) as tf.Tensor2D;
  if (!transform) return start;
  const hidden = linear(start, value(transform.in) as tf.Tensor2D, value(transform.inBias) as tf.Tensor1D);
  return linear(tf.tanh(hidden), value(transform.out) as tf.Tensor2D, value(transform.outBias) as tf.Tensor1D);
}

/** What the network computes, as a parameter that can be read: files hold it in place of the network. */
function projected(encoder: Encoder): ModelParameter {
  const shape = [encoder.embedding.shape[0]!, encoder.transform!.out.shape[0]!];
  const size = shape[0]! * shape[1]!;
  return {
    name: FILE_NAME,
    shape,
    size,
    bytes: 0,
    trainable: false,
    read: () => tf.tidy(() => computed(encoder, parameter => parameter.read())),
    write() {
      throw new BadInput({
        problem: 'A prefix that a network computes cannot be written',
        fix: 'train it, or load it from a file',
      });
    },
    dispose() {},
  };
}
