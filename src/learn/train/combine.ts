import * as tf from '@tensorflow/tfjs-core';
import { BadInput, quote, refuseUnknown } from '../../base/core/index.js';
import { atOnce, HOOK_NAMES, type HookState, type Hooks, type SavedHookState, scalarTerm } from './hooks.js';

const PARTS = new WeakMap<Hooks, readonly Hooks[]>();

/**
 * Several hooks as one, which is what a list of them in `train.sft({ hooks: […] })` becomes. Each is called in the order given, one after the
 * other; losses add up; what evaluations find is put together, the later one winning where two use a name; each has its own state in
 * checkpoints. Only one of them may have an `objective`.
 * @throws BadInput when two have one, or when one stands in the list twice
 */
export function combine(...parts: readonly Hooks[]): Hooks {
  const all = parts.flatMap(part => partsOf(part));
  if (all.length === 1) return all[0]!;
  if (new Set(all).size < all.length)
    throw new BadInput({
      problem: 'The same hooks are given twice',
      where: { key: 'hooks' },
      fix: 'give them once, or make them anew',
    });
  if (all.filter(part => part.objective).length > 1)
    throw new BadInput({
      problem: 'Two hooks have an objective, which stands in place of the loss: there can be one',
      where: { key: 'hooks' },
      fix: 'make one objective of the two',
    });
  const having = <K extends keyof Hooks>(name: K) => all.filter(part => part[name] !== undefined);
  const combined: { -readonly [K in keyof Hooks]: Hooks[K] } = {};
  for (const name of ['onStart', 'onStep', 'onCheckpoint', 'onStop'] as const) {
    const own = having(name);
    if (own.length > 0)
      combined[name] = async (...given: unknown[]) => {
        for (const part of own) await (part[name] as (...given: unknown[]) => unknown)(...given);
      };
  }
  for (const name of ['onEval', 'onSample'] as const) {
    const own = having(name);
    if (own.length > 0)
      combined[name] = async (...given: unknown[]) => {
        const found = {};
        for (const part of own) Object.assign(found, await (part[name] as (...given: unknown[]) => unknown)(...given));
        return found;
      };
  }
  const losses = having('loss');
  if (losses.length > 0)
    combined.loss = (pass, context) => {
      const terms = losses.map(part => scalarTerm(atOnce(part.loss!(pass, context))));
      return terms.length === 1 ? terms[0]! : (tf.addN(terms) as tf.Scalar);
    };
  const [objective] = having('objective');
  if (objective) combined.objective = (pass, context) => objective.objective!(pass, context);
  const about = having('about');
  if (about.length > 0) combined.about = { parts: about.map(part => part.about!) };
  if (having('onSave').length > 0) {
    combined.onSave = () => savedTogether(all);
    combined.onLoad = state => loadedApart(all, state);
  }
  const disposing = having('onDispose');
  if (disposing.length > 0)
    combined.onDispose = () => {
      const failed: unknown[] = [];
      for (const part of disposing)
        try {
          part.onDispose!();
        } catch (error) {
          failed.push(error);
        }
      if (failed.length > 0) throw failed[0];
    };
  PARTS.set(combined, all);
  return combined;
}

/** What hooks were combined of; themselves where they were not. */
export function partsOf(hooks: Hooks): readonly Hooks[] {
  return PARTS.get(hooks) ?? [hooks];
}

/** Check what is given as `hooks`, and make one of a list. */
export function oneOf(given: Hooks | readonly Hooks[] | undefined): Hooks {
  const list: readonly Hooks[] = Array.isArray(given) ? given : [given ?? {}];
  const known: readonly string[] = [...HOOK_NAMES, 'about'];
  for (const hooks of list) {
    if (typeof hooks !== 'object' || hooks === null)
      throw new BadInput({
        problem: 'These are no hooks',
        where: { key: 'hooks' },
        expected: '{ onStep, loss, … }, or a list of such objects',
        found: quote(hooks ?? null),
        fix: 'write hooks: [train.l2sp({ strength: 0.1 }), { onStep: report => … }]',
      });
    refuseUnknown('hooks', hooks, known);
  }
  return combine(...list);
}

function savedTogether(parts: readonly Hooks[]): HookState {
  const states = parts.map(part => atOnce(part.onSave?.()) ?? {});
  return {
    json: states.map(({ json }) => json ?? null),
    tensors: states.flatMap(({ tensors = [] }, i) => tensors.map(tensor => ({ ...tensor, name: `${i}/${tensor.name}` }))),
  };
}

async function loadedApart(parts: readonly Hooks[], { json, tensor }: SavedHookState): Promise<void> {
  const saved = json as unknown[];
  for (const [i, part] of parts.entries())
    if (part.onSave) await part.onLoad?.({ json: saved[i] ?? undefined, tensor: name => tensor(`${i}/${name}`) });
}
