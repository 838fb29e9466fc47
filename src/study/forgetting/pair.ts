import { BadInput, quote } from '../../base/core/index.js';
import { sumsOfSquares } from '../../base/ops/index.js';
import { Model, restAdapters } from '../../learn/models/index.js';

/** A model before and after tuning. */
export interface Pair {
  /** The model it was tuned from. Where adapters were tuned, `tuned` itself may be given: it is then looked at without them. */
  base: Model;
  tuned: Model;
}

/** Do something with the base; with adapters at rest where it is the tuned model itself. */
export async function onBase<T>({ base, tuned }: Pair, work: (base: Model) => T | Promise<T>): Promise<T> {
  if (base !== tuned) return work(base);
  const restore = restAdapters(tuned);
  try {
    return await work(tuned);
  } finally {
    restore();
  }
}

/** Throws BadInput unless these are two models that read and say the same tokens, or one with adapters in use. */
export function checkPair({ base, tuned }: Pair): void {
  for (const [key, model] of Object.entries({ base, tuned }))
    if (!(model instanceof Model))
      throw new BadInput({
        problem: 'This is no model to compare',
        where: { key },
        expected: 'a model from models.load(…) or models.init(…)',
        found: quote(model ?? null),
      });
  if (base === tuned && tuned.inUse.length === 0)
    throw new BadInput({
      problem: 'Base and tuned model are the same',
      where: { key: 'base' },
      fix: 'load the base a second time before it is tuned: const base = await models.load(dir)',
    });
  const [b, t] = [base, tuned].map(model => model.config.vocabSize) as [number, number];
  if (b !== t)
    throw new BadInput({
      problem: 'Base and tuned model have not the same tokens',
      where: { key: 'base' },
      expected: `${t} tokens, as the tuned model`,
      found: `${b}`,
      fix: 'give the model it was tuned from; where tokens were added meanwhile, resize the base too: models.resizeVocabulary',
    });
}

/** Throws BadInput for a model with a weight that is not finite, of which nothing can be measured. */
export function refuseNonFinite(model: Model): void {
  for (const parameter of model.parameters) {
    const value = parameter.read();
    const sums = sumsOfSquares([value]);
    const [square] = sums.dataSync();
    value.dispose();
    sums.dispose();
    if (!Number.isFinite(square)) throw notFinite(parameter.name);
  }
}

export function notFinite(name: string): BadInput {
  return new BadInput({
    problem: 'A weight is not finite',
    where: { key: name },
    fix: 'go back to a checkpoint; training went too far: lower the learning rate, or clip lower',
  });
}
