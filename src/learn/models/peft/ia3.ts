import { BadInput } from '../../../base/core/index.js';
import type { FiledSpec } from './format.js';
import { Ia3Adapter } from './ia3-adapter.js';
import { type Ia3Settings, planIa3 } from './ia3-plan.js';
import { textual } from './patterns.js';

/** Options of {@link ia3}. Names in brackets are PEFT's. */
export interface Ia3Options {
  /** Modules that are rescaled [target_modules]; by default what PEFT takes for the family: keys, values, feed-forward. */
  targets?: readonly string[] | RegExp | string;
  /** Those of them that are rescaled at their input instead of their output [feedforward_modules]. By default PEFT's. */
  feedforward?: readonly string[] | RegExp | string;
  /** Modules left out [exclude_modules]. */
  exclude?: readonly string[] | RegExp | string;
  /** Modules trained as a whole [modules_to_save]. */
  modulesToSave?: readonly string[];
}

/**
 * IA³ (Liu et al. 2022): keys and values are multiplied by learnt vectors, and so is what enters the second matrix of the
 * feed-forward. All begin at one.
 */
export function ia3(options: Ia3Options = {}): FiledSpec {
  const unknown = Object.keys(options).find(key => !['targets', 'feedforward', 'exclude', 'modulesToSave'].includes(key));
  if (unknown !== undefined)
    throw new BadInput({
      problem: 'ia3 has no such option',
      where: { key: unknown },
      expected: 'targets, feedforward, exclude, modulesToSave',
    });
  return ia3Spec({
    targets: textual(options.targets),
    feedforward: textual(options.feedforward),
    exclude: textual(options.exclude),
    modulesToSave: options.modulesToSave ?? [],
  });
}

/** The adapter of these settings. */
export function ia3Spec(settings: Ia3Settings): FiledSpec {
  return {
    kind: 'ia3',
    plan: model => {
      const { sites, whole } = planIa3(model, settings);
      return [...sites.map(({ factors }) => factors), ...whole];
    },
    build: (model, name, values) => new Ia3Adapter(model, name, planIa3(model, settings), values),
  };
}
