import type * as tf from '@tensorflow/tfjs-core';
import { type LinearWeights, linears } from '../../base/ops/index.js';
import type { Adapter, Sublayer } from './adapter.js';
import type { ModelParameter } from './parameter.js';

/** The weights of one pass, by Hugging Face name, with the adapters that are in use. */
export interface Weights {
  get(name: string): tf.Tensor;
  has(name: string): boolean;
  /** A frozen weight gets no gradient. */
  frozen(name: string): boolean;
  /** y = x · Wᵀ + b of the linear module of this name (without ".weight"). */
  project(x: tf.Tensor2D, module: string): tf.Tensor2D;
  /** The same for several modules of one x. */
  projectAll(x: tf.Tensor2D, modules: readonly string[]): tf.Tensor2D[];
  /** What a sub-layer gives to the residual stream. */
  behind(y: tf.Tensor2D, at: Sublayer): tf.Tensor2D;
  /** Embeddings of the virtual tokens before every row. */
  prompt(): tf.Tensor2D | undefined;
  /** Keys and values that stand for the virtual tokens in a layer. */
  prefix(layer: number): { keys: tf.Tensor2D; values: tf.Tensor2D } | undefined;
  /** Whether no adapter stands on a module, in the place of a weight or behind a sub-layer: `get` tells all there is. */
  readonly bare: boolean;
  /** Virtual tokens before every row. */
  readonly virtualTokens: number;
}

/** The matrix that turns hidden states into logits is asked for under this name, shared or not. */
export const HEAD = 'lm_head.weight';

/** What {@link readWeights} makes a pass from. */
export interface ReadingSource {
  /** Values of this pass by parameter name. */
  values: ReadonlyMap<string, tf.Tensor>;
  parameter(name: string): ModelParameter;
  /** Adapters in use, in the order in which they wrap the base. */
  adapters: readonly Adapter[];
  /** Whether the matrix of a module is stored [in, out]. */
  transposed(module: string): boolean;
  /** Where the head shares the embedding's matrix, that one's name: adapters may change one of the two alone. */
  tied?: string;
  /** Seed of dropout masks; none without. */
  seed?: number;
}

/** The weights of a pass, adapters included. */
export function readWeights({ values, parameter, adapters, transposed, tied, seed }: ReadingSource): Weights {
  const has = (name: string) => values.has(name);
  const stored = (name: string) => (tied !== undefined && name === HEAD ? tied : name);
  const base = (name: string) => values.get(stored(name))!;
  const passes = adapters.map(adapter => adapter.pass({ value: own => values.get(own.name)!, weight: base, has, seed }));
  const replacing = passes.filter(pass => pass.weight);
  const get = (name: string) =>
    replacing.reduce<() => tf.Tensor>(
      (inner, pass) => () => pass.weight!(name, inner) ?? inner(),
      () => base(name),
    )();
  // A weight that an adapter replaces is differentiated.
  const frozen = (name: string) => !parameter(stored(name)).trainable && !replacing.some(pass => pass.replaces?.(name) ?? true);
  const linearOf = (module: string): LinearWeights => ({
    weight: get(`${module}.weight`) as tf.Tensor2D,
    bias: has(`${module}.bias`) ? (get(`${module}.bias`) as tf.Tensor1D) : undefined,
    frozen: isFrozen(module),
    transposed: transposed(module),
  });
  const isFrozen = (module: string) => frozen(`${module}.weight`) && (!has(`${module}.bias`) || frozen(`${module}.bias`));
  const projecting = passes.filter(pass => pass.project);
  const behind = passes.filter(pass => pass.behind);
  const prompting = passes.find(pass => pass.prompt);
  const prefixing = passes.find(pass => pass.prefix);
  const project = (x: tf.Tensor2D, module: string) =>
    projecting.reduce<(x: tf.Tensor2D) => tf.Tensor2D>(
      (inner, pass) => x => pass.project!(module, x, inner) ?? inner(x),
      x => linears(x, [linearOf(module)])[0]!,
    )(x);
  return {
    get,
    has,
    frozen,
    project,
    projectAll: (x, modules) =>
      projecting.length > 0 ? modules.map(module => project(x, module)) : linears(x, modules.map(linearOf)),
    behind: (y, at) => behind.reduce((y, pass) => pass.behind!(y, at), y),
    prompt: () => prompting?.prompt?.(),
    prefix: layer => prefixing?.prefix?.(layer),
    bare: projecting.length === 0 && behind.length === 0 && replacing.length === 0,
    virtualTokens: adapters.reduce((sum, { virtualTokens }) => sum + virtualTokens, 0),
  };
}
