import * as tf from '@tensorflow/tfjs-core';
import { BadInput } from '../../base/core/index.js';
import type { Model } from '../../learn/models/index.js';
import { type HookContext, type Hooks, KeptWeights } from '../../learn/train/index.js';
import type { Tokenizer } from '../../prepare/tokens/index.js';
import { type Memory, measure, type Probe } from './measure.js';

/** Options of {@link budget}. */
export interface BudgetOptions {
  tokenizer: Tokenizer;
  /** Base text that is held out from training. */
  texts: readonly string[];
  facts?: readonly Probe[];
  /** By how much the loss on base text may rise above that of the model as it was, in nats per token. */
  rise?: number;
  /** Share of facts that must still be recalled, 0 to 1. */
  recall?: number;
  /** Tokens of one window of base text; default 64. */
  length?: number;
}

/** A state of the run that is within the budget. */
export interface WithinBudget {
  step: number;
  baseLoss: number;
  facts?: number;
  /** Loss of the run's own evaluation, where it has one. */
  heldOut?: number;
}

/** Hooks that end a run at its budget. */
export interface BudgetHooks extends Hooks {
  /** The state the model was left in, or would be; step 0 is the model as it was. */
  readonly best: WithinBudget | undefined;
}

/**
 * Early stopping on a budget of forgetting: base text (and facts) are measured whenever the run evaluates (`evaluateEvery`, or `evaluate.every`).
 * Once more is forgotten than allowed the run ends. However it ends by itself, the model is left as it was at the best evaluation within
 * the budget: that of the lowest held-out loss in a run with `evaluate`, else the latest. The numbers are in `run.evaluations`
 * (`baseLoss`, `facts`).
 *
 *     const within = forgetting.budget({ tokenizer, texts: world.heldOutText, facts: world.facts, rise: 0.3, recall: 0.9 });
 *     await train.sft({ model, rows, evaluateEvery: 20, hooks: within }).finish();      // within.best.step
 *
 * A checkpoint is what it is everywhere, the state of the run at its last step, of which the best weights are a part. It costs the memory of
 * the trained weights once more.
 */
export function budget(options: BudgetOptions): BudgetHooks {
  const { rise, recall, ...probes } = options;
  check(options);
  const weights = new KeptWeights();
  let before: Memory | undefined;
  let best: WithinBudget | undefined;
  /** Why the run was ended. */
  let over: string | undefined;

  const look = async ({ run, signal }: HookContext): Promise<Memory> => {
    const memory = await measure({ ...probes, model: run.model as unknown as Model, signal });
    if (Number.isFinite(memory.baseLoss)) return memory;
    throw new BadInput({
      problem: 'The loss on base text is not finite',
      where: { key: 'texts' },
      found: String(memory.baseLoss),
      fix: 'look at the weights: training may have gone too far; lower the learning rate',
    });
  };
  const keep = ({ run }: HookContext, found: WithinBudget) => {
    best = found;
    weights.take(run.model.parameters.filter(({ trainable }) => trainable));
  };
  const hooks: Hooks = {
    about: { name: 'budget', ...(rise !== undefined && { rise }), ...(recall !== undefined && { recall }) },
    async onStart(context) {
      over = undefined;
      if (before) return;
      if (context.run.step > 0)
        throw new BadInput({
          problem: 'The budget was not there when the run began: the loss of the model as it was is not known',
          where: { key: 'hooks' },
          fix: 'start a new run from the saved model',
        });
      before = await look(context);
      keep(context, stateOf(0, before));
    },
    async onEval({ step }, context) {
      const memory = await look(context);
      const found = stateOf(step, memory, context.evaluation?.loss);
      over = excess(before!, memory, options);
      if (over) context.run.stop(`${over} at step ${step}: back to the weights of step ${best!.step}`);
      else if (found.heldOut === undefined || !(found.heldOut > (best!.heldOut ?? Number.POSITIVE_INFINITY)))
        keep(context, found);
      const { baseLoss, facts } = found;
      return { baseLoss, ...(facts !== undefined && { facts }) };
    },
    onStop(status, { run }) {
      // A run that somebody else has stopped may go on.
      if (status !== 'done' && !(status === 'stopped' && over)) return;
      for (const parameter of run.model.parameters) {
        const value = weights.get(parameter.name);
        if (value) tf.tidy(() => parameter.write(tf.mul(value, 1)));
      }
    },
    onSave: () => ({ json: { before, best, names: weights.names }, tensors: weights.saved('best') }),
    onLoad(state) {
      const saved = state.json as { before: Memory; best: WithinBudget; names: string[] };
      before = saved.before;
      best = saved.best;
      weights.load('best', saved.names, state);
    },
    onDispose() {
      weights.dispose();
      before = undefined;
    },
  };
  // Not among the hooks that a run looks through.
  return Object.defineProperty(hooks, 'best', { get: () => best }) as BudgetHooks;
}

function stateOf(step: number, { baseLoss, facts }: Memory, heldOut?: number): WithinBudget {
  return { step, baseLoss, ...(facts !== undefined && { facts }), ...(heldOut !== undefined && { heldOut }) };
}

/** What is beyond the budget, in words; undefined where nothing is. */
function excess(before: Memory, now: Memory, { rise, recall }: BudgetOptions): string | undefined {
  const risen = now.baseLoss - before.baseLoss;
  if (rise !== undefined && risen > rise)
    return `the loss on base text has risen by ${risen.toFixed(3)} nats per token, more than ${rise},`;
  if (recall !== undefined && now.facts! < recall)
    return `${(100 * now.facts!).toFixed(0)} % of the facts are recalled, less than ${(100 * recall).toFixed(0)} %,`;
  return undefined;
}

function check({ rise, recall, texts, facts }: BudgetOptions): void {
  const bad = (key: string, expected: string, found: unknown): never => {
    throw new BadInput({ problem: 'This is no budget of forgetting', where: { key }, expected, found: String(found) });
  };
  if (rise === undefined && recall === undefined)
    bad('rise', 'rise (nats per token), recall (share of facts), or both', 'neither');
  if (rise !== undefined && !(rise >= 0 && rise < Number.POSITIVE_INFINITY)) bad('rise', 'a number of at least 0', rise);
  if (recall !== undefined && !(recall >= 0 && recall <= 1)) bad('recall', 'a share from 0 to 1', recall);
  if (recall !== undefined && !facts?.length) bad('facts', 'the facts to be recalled', 'none');
  if (!Array.isArray(texts) || texts.length === 0) bad('texts', 'lines of base text', 'none');
}
