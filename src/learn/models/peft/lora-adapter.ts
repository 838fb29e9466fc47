import * as tf from '@tensorflow/tfjs-core';
import { BadInput, Random } from '../../../base/core/index.js';
import { type Dropping, dropout, linear, lowRank, lowRankWeight, rescale } from '../../../base/ops/index.js';
import type { Adapter, AdapterPass, PassContext } from '../adapter.js';
import type { Model } from '../model.js';
import { createParameter, type ModelParameter } from '../parameter.js';
import { baseWeight, isTied, isVocabularyModule, taskType } from './base.js';
import type { PlannedTensor } from './format.js';
import { loraConfig } from './lora-config.js';
import type { LoraPlan, LoraSite } from './lora-plan.js';
import { createRows, type TokenRows, withRows } from './token-rows.js';
import { createWhole, type WholeWeight } from './whole.js';

/** A site with its parameters. */
interface Placed extends LoraSite {
  readonly A: ModelParameter;
  readonly B: ModelParameter;
  readonly M?: ModelParameter;
  /** Tells this site's dropout from those of others. */
  readonly salt: number;
}

/** LoRA, rsLoRA or DoRA on a model. */
export class LoraAdapter implements Adapter {
  readonly kind = 'lora';
  readonly virtualTokens = 0;
  readonly parameters: readonly ModelParameter[];
  readonly #model: Model;
  readonly #plan: LoraPlan;
  readonly #byModule = new Map<string, Placed>();
  readonly #byWeight = new Map<string, Placed>();
  readonly #whole: readonly (WholeWeight & { parameter: ModelParameter })[];
  readonly #tokens: readonly (TokenRows & { parameter: ModelParameter })[];

  constructor(
    model: Model,
    readonly name: string,
    plan: LoraPlan,
    values?: ReadonlyMap<string, Float32Array>,
  ) {
    this.#model = model;
    this.#plan = plan;
    const made: ModelParameter[] = [];
    const keep = (parameter: ModelParameter): ModelParameter => {
      made.push(parameter);
      return parameter;
    };
    try {
      const random = new Random(plan.settings.seed);
      for (const site of plan.sites) {
        const create = (tensor: PlannedTensor, first: () => Float32Array) =>
          keep(createParameter(inMemory(tensor.file, name), tensor.shape, values?.get(tensor.file) ?? first()));
        const A = create(site.a, () => firstA(site, plan.settings.init, random));
        const B = create(site.b, () => firstB(site, random));
        const M = site.magnitude && create(site.magnitude, () => lengths(model, site));
        const placed = { ...site, A, B, M, salt: random.fork(`dropout/${name}/${site.module}`).uint32() | 0 };
        if (site.use === 'linear') this.#byModule.set(site.module, placed);
        else this.#byWeight.set(`${site.module}.weight`, placed);
      }
      this.#whole = plan.whole.map(whole => ({ ...whole, parameter: keep(createWhole(model, whole, name, values)) }));
      this.#tokens = plan.tokens.map(rows => {
        const parameter = keep(createRows(model, rows, inMemory(rows.file, name), values));
        return { ...rows, parameter };
      });
    } catch (error) {
      for (const parameter of made) parameter.dispose();
      throw error;
    }
    this.parameters = made;
  }

  pass(context: PassContext): AdapterPass {
    const whole = new Map(this.#whole.map(({ weight, parameter }) => [weight, parameter]));
    const project: AdapterPass['project'] = (module, x, inner) => {
      const site = this.#byModule.get(module);
      return site && this.#project(site, context, x, inner, whole.get(`${module}.bias`));
    };
    const rows = new Map(this.#tokens.flatMap(rows => rows.weights.map(weight => [weight, rows] as const)));
    if (whole.size === 0 && this.#byWeight.size === 0 && rows.size === 0) return { project };
    return {
      project,
      replaces: name => whole.has(name) || this.#byWeight.has(name) || rows.has(name),
      weight: (name, base) => {
        const copy = whole.get(name);
        if (copy) return context.value(copy);
        const some = rows.get(name);
        if (some) return withRows(base() as tf.Tensor2D, context.value(some.parameter) as tf.Tensor2D, some.ids);
        const site = this.#byWeight.get(name);
        return site && this.#weight(site, context, base() as tf.Tensor2D);
      },
    };
  }

  trainedRows(weight: string): 'all' | readonly number[] | undefined {
    if (this.#byWeight.has(weight) || this.#whole.some(whole => whole.weight === weight)) return 'all';
    return this.#tokens.find(({ weights }) => weights.includes(weight))?.ids;
  }

  merged(read: (name: string) => tf.Tensor): Map<string, tf.Tensor> {
    const changed = new Map<string, tf.Tensor>();
    try {
      for (const site of [...this.#byModule.values(), ...this.#byWeight.values()]) {
        refuseTied(this.#model, site.module);
        const name = `${site.module}.weight`;
        changed.set(
          name,
          tf.tidy(() => {
            const [w, a, b] = [read(name), site.A.read(), site.B.read()] as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
            const sum = lowRankWeight(w, a, b, site.scale, site.transposed);
            if (!site.M) return sum;
            return rescale(sum, site.M.read() as tf.Tensor1D, {
              norm: () => lengthsOf(sum, site.transposed),
              rows: !site.transposed,
            });
          }),
        );
      }
      for (const { weight, parameter } of this.#whole) {
        refuseTied(this.#model, weight.replace(/\.weight$/, ''));
        changed.set(weight, parameter.read());
      }
      for (const { weights, ids, parameter } of this.#tokens) {
        const [weight, ...others] = weights as [string, ...string[]];
        if (others.length === 0) refuseTied(this.#model, weight.replace(/\.weight$/, ''));
        changed.set(
          weight,
          tf.tidy(() => withRows(read(weight) as tf.Tensor2D, parameter.read() as tf.Tensor2D, ids)),
        );
      }
      return changed;
    } catch (error) {
      tf.dispose([...changed.values()]);
      throw error;
    }
  }

  toPeft(): { config: Record<string, unknown>; tensors: { name: string; parameter: ModelParameter }[] } {
    const tensors: { name: string; parameter: ModelParameter }[] = [];
    for (const site of [...this.#byModule.values(), ...this.#byWeight.values()]) {
      tensors.push({ name: site.a.file, parameter: site.A }, { name: site.b.file, parameter: site.B });
      if (site.M) tensors.push({ name: site.magnitude!.file, parameter: site.M });
      // PEFT writes the weight of a targeted embedding or head too.
      const own = site.use !== 'linear' && this.#model.baseParameters.find(({ name }) => name === `${site.module}.weight`);
      if (own && this.#tokens.length === 0 && this.#targetsEmbedding())
        tensors.push({ name: `base_model.model.${site.module}.base_layer.weight`, parameter: own });
    }
    for (const { file, parameter } of [...this.#whole, ...this.#tokens]) tensors.push({ name: file, parameter });
    return { config: loraConfig(this.#plan, taskType(this.#model)), tensors };
  }

  dispose(): void {
    for (const parameter of this.parameters) parameter.dispose();
  }

  #project(
    site: Placed,
    context: PassContext,
    x: tf.Tensor2D,
    inner: (x: tf.Tensor2D) => tf.Tensor2D,
    ownBias: ModelParameter | undefined,
  ): tf.Tensor2D {
    const { scale } = site;
    const [a, b] = [context.value(site.A) as tf.Tensor2D, context.value(site.B) as tf.Tensor2D];
    const { dropout: rate } = this.#plan.settings;
    const dropping: Dropping | undefined =
      context.seed !== undefined && rate > 0 ? { rate, seed: [context.seed | 0, site.salt] } : undefined;
    const y = inner(x);
    if (!site.M) return consume(y, () => lowRank(y, x, a, b, scale, dropping));

    const m = context.value(site.M) as tf.Tensor1D;
    const weight = context.weight(`${site.module}.weight`) as tf.Tensor2D;
    const norm = () => lengthsOf(lowRankWeight(weight, a, b, scale, site.transposed), site.transposed);
    if (!dropping) {
      const biasName = `${site.module}.bias`;
      const bias = ownBias ? context.value(ownBias) : context.has(biasName) ? context.weight(biasName) : undefined;
      const z = consume(y, () => lowRank(y, x, a, b, scale));
      return rescale(z, m, { norm, constant: bias as tf.Tensor1D | undefined, learnt: ownBias !== undefined });
    }
    // With dropout PEFT puts the base's product of the dropped input in the place of part of the module's own.
    const dropped = dropout(x, dropping);
    const product = linear(dropped, site.transposed ? tf.transpose(weight) : weight, undefined, { frozen: true });
    const direction = rescale(lowRank(product, dropped, a, b, scale), m, { norm });
    return tf.add(tf.sub(y, product), direction);
  }

  #weight(site: Placed, context: PassContext, base: tf.Tensor2D): tf.Tensor2D {
    const [a, b] = [context.value(site.A) as tf.Tensor2D, context.value(site.B) as tf.Tensor2D];
    const sum = lowRankWeight(base, a, b, site.scale, site.transposed);
    if (!site.M) return sum;
    const m = context.value(site.M) as tf.Tensor1D;
    return rescale(sum, m, { norm: () => lengthsOf(sum, site.transposed), rows: !site.transposed });
  }

  /** PEFT's own test (`save_embedding_layers="auto"`): the list of targets has an embedding or the head by its bare name. */
  #targetsEmbedding(): boolean {
    const { targets } = this.#plan;
    return typeof targets !== 'string' ? ['embed_tokens', 'lm_head'].some(name => targets.includes(name)) : false;
  }
}

/** Name of a parameter in memory: the adapter's name stands before ".weight", or last. */
function inMemory(file: string, adapter: string): string {
  const name = file.replace(/^base_model\.model\./, '');
  if (name.endsWith('.lora_magnitude_vector')) return `${name}.${adapter}.weight`;
  return name.endsWith('.weight') ? `${name.slice(0, -7)}.${adapter}.weight` : `${name}.${adapter}`;
}

function firstA({ module, use, rank, inFeatures }: LoraSite, init: 'default' | 'gaussian', random: Random): Float32Array {
  const values = new Float32Array(rank * inFeatures);
  // As torch.nn.Embedding has it, A is what begins at zero there.
  if (use === 'embedding') return values;
  const stream = random.fork(`${module}.lora_A`);
  // kaiming_uniform with a = √5 is U(±1/√in).
  const bound = 1 / Math.sqrt(inFeatures);
  for (let i = 0; i < values.length; i++)
    values[i] = init === 'gaussian' ? stream.normal() / rank : (2 * stream.next() - 1) * bound;
  return values;
}

function firstB({ module, use, rank, outFeatures }: LoraSite, random: Random): Float32Array {
  const values = new Float32Array(outFeatures * rank);
  if (use !== 'embedding') return values;
  const stream = random.fork(`${module}.lora_B`);
  for (let i = 0; i < values.length; i++) values[i] = stream.normal();
  return values;
}

/** Length of every output's weights: the rows of [out, in], the columns where it lies transposed. */
function lengthsOf(weight: tf.Tensor2D, transposed: boolean): tf.Tensor1D {
  return tf.sqrt(tf.sum(tf.square(weight), transposed ? 0 : 1));
}

function lengths(model: Model, { module, transposed }: LoraSite): Float32Array {
  const norm = tf.tidy(() => lengthsOf(baseWeight(model, `${module}.weight`)!.read() as tf.Tensor2D, transposed));
  try {
    return norm.dataSync() as Float32Array;
  } finally {
    norm.dispose();
  }
}

/** Do `work` on a tensor that nothing needs afterwards: the tape knows it by its number alone. */
function consume<T>(y: tf.Tensor, work: () => T): T {
  const result = work();
  y.dispose();
  return result;
}

/** A weight that two modules share cannot take what one of them has learnt. */
function refuseTied(model: Model, module: string): void {
  if (!isTied(model) || !isVocabularyModule(model, module)) return;
  throw new BadInput({
    problem: `The adapter changes ${module}, whose weight embedding and head share: merged, it would change both`,
    where: { key: module },
    fix: 'keep the adapter attached, or merge one that leaves embedding and head alone',
  });
}
