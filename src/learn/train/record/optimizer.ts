import { adafactor } from '../optimizers/adafactor.js';
import { adamw } from '../optimizers/adamw.js';
import { lion } from '../optimizers/lion.js';
import { sgd } from '../optimizers/sgd.js';
import type { Optimizer } from '../types.js';
import { fromPlain, toPlain } from './held.js';

const MAKERS: Record<string, (options: never) => Optimizer> = { adamw, adafactor, lion, sgd };

/** The optimizer with the settings of a record; undefined where it would be another one (a group chosen by a function). */
export function rebuiltOptimizer(held: Record<string, unknown>): Optimizer | undefined {
  const { name, settings, learningRate } = held;
  const make = Object.hasOwn(MAKERS, String(name)) ? MAKERS[String(name)] : undefined;
  if (!make) return undefined;
  const { beta1, beta2, eps1, eps2, ...rest } = fromPlain(settings, () => undefined) as Record<string, unknown>;
  const pair = name === 'adafactor' ? { beta1, eps: [eps1, eps2] } : beta1 === undefined ? {} : { betas: [beta1, beta2] };
  const groups = Array.isArray(rest.groups) && { groups: rest.groups.map(patterned) };
  const options = { ...rest, ...groups, ...pair, learningRate: rest.relativeStep === true ? undefined : learningRate };
  const made = make(withoutUndefined(options) as never);
  // Whatever a setting was made from: only one that says the same of itself is the same.
  return JSON.stringify(toPlain(made.settings)) === JSON.stringify(settings) ? made : undefined;
}

/** A group as its settings name it; a pattern is written /…/ there. */
function patterned(group: { match: string }): object {
  const [, source, flags] = /^\/(.+)\/([a-z]*)$/s.exec(group.match) ?? [];
  return source === undefined ? group : { ...group, match: new RegExp(source, flags) };
}

function withoutUndefined(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
