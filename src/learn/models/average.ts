import * as tf from '@tensorflow/tfjs-core';
import { BadInput, quote } from '../../base/core/index.js';
import type { Adapter } from './adapter.js';
import { DecoderModel } from './decoder-model.js';
import type { Model } from './model.js';
import { createParameter, type ModelParameter } from './parameter.js';
import { T5Model } from './t5/index.js';

/** A model of its own with the same weights; adapters are left out. The caller disposes it. */
export function copyOf(model: Model): Model {
  const weights: ModelParameter[] = [];
  try {
    for (const parameter of model.baseParameters) {
      const value = parameter.read();
      try {
        weights.push(createParameter(parameter.name, parameter.shape, (value.dataSync() as Float32Array).slice()));
      } finally {
        value.dispose();
      }
    }
  } catch (error) {
    for (const weight of weights) weight.dispose();
    throw error;
  }
  if (model instanceof T5Model) return new T5Model(structuredClone(model.config), weights, model.original);
  return new DecoderModel(structuredClone((model as DecoderModel).config), weights, model.original);
}

/**
 * A model between two: θ = (1 − α) · θ_base + α · θ_tuned, weight by weight. Wortsman et al. 2022 (WiSE-FT) average a tuned model back
 * towards its base: much of what was learned is there at an α at which much less is lost. At 0 it is the base, at 1 the tuned model, bit by
 * bit. The caller disposes it; `into` is written instead where it is given, so that a curve over α needs one model more.
 * @throws BadInput where the two have not the same weights, or where adapters are in use (see {@link scaleAdapter})
 */
export function interpolate(base: Model, tuned: Model, alpha: number, { into }: { into?: Model } = {}): Model {
  checkShare('alpha', alpha);
  sameWeights(base, tuned);
  const result = into ?? copyOf(base);
  if (into) sameWeights(base, into);
  write(result, [base, tuned], [1 - alpha, alpha]);
  return result;
}

/**
 * The mean of several models tuned from one base, weight by weight (Wortsman et al. 2022, model soups). The caller disposes it.
 * @param shares of the models, made to add up to 1; equal unless told
 * @throws BadInput where they have not the same weights, or where adapters are in use
 */
export function average(models: readonly Model[], shares: readonly number[] = models.map(() => 1)): Model {
  const total = shares.reduce((sum, share) => sum + share, 0);
  if (
    models.length === 0 ||
    shares.length !== models.length ||
    !shares.every(share => share >= 0) ||
    !(total > 0 && total < 1e300)
  )
    throw new BadInput({
      problem: 'These models cannot be averaged',
      expected: 'at least one model, and for each a share of at least 0, one of them above',
      found: `${models.length} models, shares ${quote(shares)}`,
    });
  for (const other of models.slice(1)) sameWeights(models[0]!, other);
  refuseAdapters(models[0]!);
  const result = copyOf(models[0]!);
  write(
    result,
    models,
    shares.map(share => share / total),
  );
  return result;
}

/**
 * The same between a base and the adapter on it: what the adapter adds to the weights counts `factor` times, 0 being the base and 1 the adapter
 * as it was trained. The adapter's own weights are written. Returns what undoes it, bit by bit.
 * @throws BadInput for what does not add to the weights: DoRA, soft prompts, prefixes, bottlenecks, modules trained as a whole
 */
export function scaleAdapter(model: Model, factor: number, { name = 'default' }: { name?: string } = {}): () => void {
  if (!Number.isFinite(factor)) checkShare('factor', factor);
  const adapter = model.adapters.get(name);
  if (!adapter)
    throw new BadInput({
      problem: 'No adapter of this name is attached',
      expected: [...model.adapters.keys()].join(', ') || 'model.attach(…) first',
      found: quote(name),
    });
  const scaled = scalable(adapter);
  const before = scaled.map(({ parameter }) => {
    const value = parameter.read();
    const values = (value.dataSync() as Float32Array).slice();
    value.dispose();
    return values;
  });
  for (const { parameter, rest } of scaled)
    tf.tidy(() => parameter.write(tf.add(tf.mul(parameter.read(), factor), rest * (1 - factor))));
  return () => {
    scaled.forEach(({ parameter }, i) => {
      tf.tidy(() => parameter.write(tf.tensor(before[i]!, [...parameter.shape], 'float32')));
    });
  };
}

/** The weights of an adapter in which what it adds is linear, and what they are where it adds nothing. */
function scalable({ kind, name, parameters }: Adapter): { parameter: ModelParameter; rest: number }[] {
  const [part, other, rest] = kind === 'lora' ? ['lora_B', 'lora_A', 0] : kind === 'ia3' ? ['ia3_l', 'ia3_l', 1] : [];
  const is = (own: string | undefined, parameter: string) =>
    own !== undefined && (parameter.includes(`.${own}.`) || parameter.includes(`.${own.replace('lora', 'lora_embedding')}.`));
  const odd = parameters.find(parameter => !is(part, parameter.name) && !is(other, parameter.name));
  if (odd)
    throw new BadInput({
      problem: `What the adapter ${quote(name)} does is not a sum that could be scaled`,
      where: { key: odd.name },
      expected: 'LoRA (without DoRA and modules trained as a whole) or IA³',
      found: kind,
      fix: 'take weights between two merged models: models.interpolate(base, tuned, alpha)',
    });
  return parameters.filter(parameter => is(part, parameter.name)).map(parameter => ({ parameter, rest: rest! }));
}

function write(target: Model, models: readonly Model[], shares: readonly number[]): void {
  const found = models.map(model => new Map(model.baseParameters.map(parameter => [parameter.name, parameter])));
  // A share of 0 or 1 leaves the bits as they are.
  const counted = shares.map((share, i) => ({ share, weights: found[i]! })).filter(({ share }) => share !== 0);
  for (const parameter of target.baseParameters)
    tf.tidy(() => {
      // A product has memory of its own, which two models must not share; times 1 it is the value bit by bit.
      const terms = counted.map(({ share, weights }) => tf.mul(weights.get(parameter.name)!.read(), share));
      parameter.write(terms.length === 1 ? terms[0]! : tf.addN(terms));
    });
}

function checkShare(key: string, value: unknown): void {
  if (typeof value === 'number' && value >= 0 && value <= 1) return;
  throw new BadInput({
    problem: `"${key}" is not usable`,
    where: { key },
    expected: 'a number from 0 (the base) to 1 (the tuned model)',
    found: typeof value === 'number' ? String(value) : quote(value),
  });
}

function refuseAdapters(model: Model): void {
  if (model.inUse.length === 0) return;
  throw new BadInput({
    problem: 'The model has an adapter in use, which its weights do not show',
    found: model.inUse.join(', '),
    fix: 'model.merge() first; or, between the base and the adapter: models.scaleAdapter(model, 0.5)',
  });
}

/** Throws BadInput unless two models have weights of the same names and shapes, and no adapter beside them. */
export function sameWeights(a: Model, b: Model): void {
  refuseAdapters(a);
  refuseAdapters(b);
  sameShapes(a, b);
}

/** Throws BadInput unless the own weights of two models have the same names and shapes. */
export function sameShapes(a: Model, b: Model): void {
  const shapes = new Map(b.baseParameters.map(({ name, shape }) => [name, shape.join(' × ')]));
  const [own, other] = [a, b].map(model => model.baseParameters.length) as [number, number];
  const odd = a.baseParameters.find(({ name, shape }) => shapes.get(name) !== shape.join(' × '));
  if (!odd && own === other) return;
  throw new BadInput({
    problem: 'The two models have not the same weights',
    ...(odd && { where: { key: odd.name } }),
    expected: odd ? `shape [${odd.shape.join(' × ')}] in both` : `${own} weights in both`,
    found: odd
      ? shapes.has(odd.name)
        ? `[${shapes.get(odd.name)}] in the other`
        : 'no such weight in the other'
      : `${other} in the other`,
    fix: 'give a model and the base it was tuned from; where tokens were added meanwhile, resize the base too: models.resizeVocabulary',
  });
}
