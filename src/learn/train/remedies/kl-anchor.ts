import * as tf from '@tensorflow/tfjs-core';
import { BadInput, quote, refuseUnknown } from '../../../base/core/index.js';
import { gatherRows } from '../../../base/ops/index.js';
import { batchOf } from '../../../prepare/tokens/index.js';
import {
  copyOf,
  Model,
  type ModelParameter,
  type Predictors,
  predictors,
  restAdapters,
  softcapOf,
  withValue,
} from '../../models/index.js';
import { checkNumber } from '../check.js';
import type { HookContext, Hooks, LossContext } from '../hooks.js';
import { isSeq2Seq, type TrainableModel } from '../types.js';
import { KeptWeights } from './kept.js';
import { type KlDirection, linearKl } from './linear-kl.js';

/** Options of {@link klAnchor}. */
export interface KlAnchorOptions {
  /** What a nat of divergence on an anchored token costs beside a nat of loss on a trained one. Default 1. */
  strength?: number;
  /**
   * Which tokens are anchored: the labelled ones of the rows that are trained on, of those that are replayed, or of all. Default
   * 'replay' in a run with `replay`, else 'rows'.
   */
  on?: 'rows' | 'replay' | 'all';
  /**
   * 'base': KL(base ‖ model), what the base would have said must stay likely (Li & Hoiem 2016), which is what `forgetting.klToBase` measures.
   * 'model': KL(model ‖ base), what the model says must be likely to the base, as in RLHF. Default 'base'.
   */
  direction?: KlDirection;
  /**
   * The model to stay near. Default: the model as it is at the first step; where it has adapters in use, the model without them, which costs
   * no memory.
   */
  base?: Model;
}

/**
 * Hold what the model says near what its base would say: strength · Σ KL over the anchored tokens, exact over the vocabulary, divided as
 * the loss is by the number of trained tokens. To anchor it on base text without training on that:
 *
 *     train.sft({ model, rows, replay: { rows: textRows, share: 0.25, weight: 0 }, hooks: [train.klAnchor({ strength: 1 })] })
 *
 * Costs a pass of the base over the anchored rows in each step. A copy it has made of the base is in every checkpoint.
 */
export function klAnchor(options: KlAnchorOptions = {}): Hooks {
  refuseUnknown('klAnchor', options, ['strength', 'on', 'direction', 'base']);
  const strength = checkNumber('strength', options.strength ?? 1, { from: 0 });
  const on = oneOf('on', options.on, ['rows', 'replay', 'all']);
  const direction = oneOf('direction', options.direction, ['base', 'model']) ?? 'base';
  let model: Model | undefined;
  /** A base of our own making. */
  let copy: Model | undefined;
  /** Its weights as they were saved, until there is a model to put them in. */
  const saved = new KeptWeights();

  const withBase = <T>(work: (base: Model) => T): T => {
    const given = options.base ?? copy;
    if (given) return work(given);
    const restore = restAdapters(model!);
    try {
      return work(model!);
    } finally {
      restore();
    }
  };
  const begin = ({ run }: HookContext): void => {
    model = asModel(run.model);
    if (options.base) refuseOther(model, options.base);
    if (options.base || model.inUse.length > 0) return;
    if (copy)
      throw new BadInput({
        problem: 'klAnchor is in use by another run',
        where: { key: 'hooks' },
        fix: 'make one for every run: hooks: [train.klAnchor({…})]',
      });
    if (run.step > 0 && saved.names.length === 0)
      throw new BadInput({
        problem: 'klAnchor was not there when the run began: what to stay near is not known',
        where: { key: 'hooks' },
        fix: 'give it: train.klAnchor({ base: await models.load(dir) })',
      });
    copy = copyOf(model);
    for (const parameter of copy.baseParameters) {
      const value = saved.get(parameter.name);
      if (value) parameter.write(value);
    }
    saved.dispose();
  };
  return {
    about: { name: 'klAnchor', strength, direction, ...(on && { on }), ...(options.base && { base: 'given' }) },
    onStart: begin,
    loss(pass, context) {
      const { index, factors, rows } = anchored(context, on ?? (context.replayed.size > 0 ? 'replay' : 'rows'));
      if (index.length === 0) return tf.scalar(0);
      const hidden = index.length === pass.hidden.shape[0] ? pass.hidden : gatherRows(pass.hidden, tf.tensor1d(index, 'int32'));
      const headName = model!.vocabularyMatrices().at(-1)!;
      const frozen = pass.weights.get(headName) === pass.head && !model!.parameter(headName).trainable;
      const own: Predictors = { hidden, head: pass.head, softcap: softcapOf(model!) };
      const kl = linearKl(own, () => withBase(base => predictors(base, batchOf(rows))!), factors, { direction, frozen });
      return tf.mul(kl, strength) as tf.Scalar;
    },
    onSave: () => (copy ? { json: copy.baseParameters.map(({ name }) => name), tensors: copy.baseParameters.map(tensorOf) } : {}),
    onLoad(state) {
      if (state.json) saved.load('base', state.json as string[], state);
    },
    onDispose() {
      copy?.dispose();
      copy = undefined;
      saved.dispose();
    },
  };
}

/** The labelled tokens of a batch that are anchored, what each counts, and their rows. */
function anchored({ rows, replayed, tokens }: LossContext, on: 'rows' | 'replay' | 'all') {
  const taken = rows.map(row => on === 'all' || replayed.has(row) === (on === 'replay'));
  const index = tokens.row.map((_, i) => i).filter(i => taken[tokens.row[i]!]);
  // Replayed tokens count in full, also where they carry no loss of their own.
  const factors = index.map(i => (replayed.has(rows[tokens.row[i]!]!) ? 1 : tokens.weight[i]!));
  const used = new Set(index.map(i => tokens.row[i]));
  return { index, factors, rows: rows.filter((_, r) => used.has(r)) };
}

function tensorOf(parameter: ModelParameter) {
  const { name, shape, size } = parameter;
  return {
    name: `base/${name}`,
    shape,
    size,
    values: () => withValue(parameter, value => (value.dataSync() as Float32Array).slice()),
  };
}

function asModel(model: TrainableModel): Model {
  if (model instanceof Model) return model;
  throw new BadInput({
    problem: 'klAnchor looks into the model, which must be one of ours',
    where: { key: 'model' },
    expected: 'a model from models.load(…) or models.init(…)',
    found: quote(model),
  });
}

function refuseOther(model: Model, base: Model): void {
  const alike =
    base instanceof Model &&
    base.config.vocabSize === model.config.vocabSize &&
    isSeq2Seq(base as TrainableModel) === isSeq2Seq(model as TrainableModel);
  if (!alike)
    throw new BadInput({
      problem: 'The base does not say what the model says: their tokens are not the same',
      where: { key: 'base' },
      expected: `a model of the same kind with ${model.config.vocabSize} tokens`,
      found: base instanceof Model ? `${base.config.vocabSize} tokens` : quote(base),
      fix: 'give the model it was tuned from; where tokens were added meanwhile, resize it too: models.resizeVocabulary',
    });
}

function oneOf<T extends string>(key: string, given: T | undefined, known: readonly T[]): T | undefined {
  if (given === undefined || known.includes(given)) return given;
  throw new BadInput({
    problem: `klAnchor has no such ${key}`,
    where: { key },
    expected: known.map(name => `'${name}'`).join(', '),
    found: quote(given),
  });
}
