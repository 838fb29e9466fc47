import { refuseUnknown } from '../../../base/core/index.js';
import { checkNumber } from '../check.js';
import type { Hooks } from '../hooks.js';
import { average } from '../optimizers/in-place.js';
import { beginning, KeptWeights, trained } from './kept.js';
import { penalty } from './penalty.js';

/** Options of {@link l2sp}. */
export interface L2spOptions {
  /** α. Decoupled, each step brings the weights back by the share learningRate · α of their way, e.g. 1 to 30. */
  strength: number;
  /** Outside the gradient, as AdamW's weight decay is; `false`: in the loss, as in the paper. Default true. */
  decoupled?: boolean;
}

/**
 * L2-SP (Li, Grandvalet & Davoine 2018): weight decay towards the weights at the first step in place of zero.
 *
 * Decoupled, which is the default, θ ← θ + learningRate · α · (θ₀ − θ) after every step. In the loss, + α · ½ Σ (θ − θ₀)², Adam would
 * divide the pull by the size of each weight's gradients: strongest where the new task has least to say, and α would mean another thing for
 * every weight (what Loshchilov & Hutter 2019 found of weight decay). It also costs no pass over the gradients and is not clipped. With plain
 * SGD the two are the same. The start is in every checkpoint.
 */
export function l2sp(options: L2spOptions): Hooks {
  refuseUnknown('l2sp', options, ['strength', 'decoupled']);
  const strength = checkNumber('strength', options.strength, { from: 0 });
  const decoupled = options.decoupled ?? true;
  const start = new KeptWeights();
  return {
    about: { name: 'l2sp', strength, decoupled },
    onStart(context) {
      if (beginning('l2sp', start, context)) start.take(trained(context));
    },
    ...(decoupled
      ? {
          onStep({ learningRate }, context) {
            const keep = Math.max(0, 1 - learningRate * strength);
            for (const parameter of trained(context)) {
              const value = start.get(parameter.name);
              if (value) average(parameter, value, keep);
            }
          },
        }
      : { loss: (pass, context) => penalty(strength, pass, context, start) }),
    onSave: () => ({ json: start.names, tensors: start.saved('start') }),
    onLoad: state => start.load('start', state.json as string[], state),
    onDispose: () => start.dispose(),
  };
}
