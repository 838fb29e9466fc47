import { refuseUnknown } from '../../../base/core/index.js';
import { checkNumber } from '../check.js';
import type { Hooks } from '../hooks.js';
import { prepare } from '../rows.js';
import type { TrainRow } from '../types.js';
import { fisher } from './fisher.js';
import { beginning, KeptWeights, trained } from './kept.js';
import { penalty } from './penalty.js';

/** Options of {@link ewc}. */
export interface EwcOptions {
  /**
   * Encoded rows of what is to be kept: base text, as `forgetting.textRows` makes it. Each costs one pass forward and back before the
   * first step; 100 to 200 rows of 64 tokens give a steady estimate.
   */
  rows: readonly TrainRow[];
  /**
   * λ: what a nat of divergence from the base, as the diagonal reckons it, costs in nats of loss. The diagonal sees a small part of the
   * divergence, so λ is large: in the quickstart world 100 is felt, 1,000 holds most of what was known and 10,000 slows learning down.
   */
  strength: number;
}

/**
 * Elastic weight consolidation (Kirkpatrick et al. 2017): each weight is held where it was as firmly as it matters for the base text,
 *
 *     loss + λ · ½ Σ F (θ − θ₀)²
 *
 * with F the diagonal Fisher information of the base on `rows` (see {@link fisher}) per token and θ₀ the weights at the first step. With
 * adapters in use it is their weights that are held. Weights that are frozen then and thawed later are free. Start and Fisher information
 * are in every checkpoint: a resumed run goes on bit by bit.
 *
 *     train.sft({ model, rows, hooks: [train.ewc({ rows: forgetting.textRows({ tokenizer, texts }), strength: 10 })] })
 */
export function ewc(options: EwcOptions): Hooks {
  refuseUnknown('ewc', options, ['rows', 'strength']);
  const strength = checkNumber('strength', options.strength, { from: 0 });
  const start = new KeptWeights();
  let importance = new KeptWeights();
  return {
    about: { name: 'ewc', strength, rows: options.rows?.length },
    async onStart(context) {
      if (!beginning('ewc', start, context)) return;
      const { model } = context.run;
      const { rows } = prepare('ewc.rows', options.rows, { model });
      const weights = trained(context);
      importance = await fisher(model, rows, weights, context.signal);
      start.take(weights);
    },
    loss: (pass, context) => penalty(strength, pass, context, start, importance),
    onSave: () => ({ json: start.names, tensors: [...start.saved('start'), ...importance.saved('fisher')] }),
    onLoad(state) {
      const names = state.json as string[];
      start.load('start', names, state);
      importance.load('fisher', names, state);
    },
    onDispose() {
      start.dispose();
      importance.dispose();
    },
  };
}
