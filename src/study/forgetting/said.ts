import { BadInput, setView } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import type { Template } from '../../prepare/templates/index.js';
import type { Tokenizer } from '../../prepare/tokens/index.js';
import { complete, score } from '../evaluate/index.js';
import { isRight } from './is-right.js';
import { checkPair, onBase, type Pair } from './pair.js';

/** What the base said to a prompt, and what the tuned model says. */
export interface SaidBefore {
  prompt: string;
  before: string;
  after: string;
  /** Of a conversation: the answer it ends with, and whether the tuned model gives it. */
  expected?: string;
  correct?: boolean;
  task?: string;
}

/** Result of {@link said}: an array that shows itself side by side. */
export class Said extends Array<SaidBefore> {
  // Without this, map and filter would make Saids of whatever they return.
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

setView(Said, rows => ({ kind: 'generations', data: rows.map(row => ({ ...row })) }));

/** Options of {@link said}. */
export interface SaidOptions extends Pair {
  tokenizer: Tokenizer;
  /** Needed for conversations. */
  template?: Template;
  /** Plain texts to be continued, or conversations of which the last answer is asked for. */
  prompts: readonly (string | Row)[];
  /** Longest answer in tokens; default 32. */
  maxNewTokens?: number;
  signal?: AbortSignal;
}

/** Head to head: the same prompts, greedily, to the base and to the tuned model. */
export async function said(options: SaidOptions): Promise<Said> {
  const { tokenizer, template, prompts, maxNewTokens = 32, signal } = options;
  checkPair(options);
  const rows = prompts.filter(prompt => typeof prompt !== 'string');
  const texts = prompts.filter(prompt => typeof prompt === 'string');
  if (prompts.length === 0 || (rows.length > 0 && !template))
    throw new BadInput({
      problem: prompts.length === 0 ? 'There is nothing to ask the models' : 'Conversations are asked with a template',
      where: { key: prompts.length === 0 ? 'prompts' : 'template' },
      fix: prompts.length === 0 ? "give prompts: ['tom lives in']" : "give template: templates.get('chatml')",
    });
  const how = { tokenizer, maxNewTokens, signal };
  const ask = async (model: Pair['tuned']) => ({
    answers:
      rows.length > 0 ? (await score({ ...how, model, template: template!, rows, metrics: [], check: isRight })).samples : [],
    continuations: texts.length > 0 ? await complete({ ...how, model, prompts: texts }) : [],
  });
  const before = await onBase(options, ask);
  const after = await ask(options.tuned);
  let [row, text] = [0, 0];
  return Said.from(
    prompts.map((prompt): SaidBefore => {
      if (typeof prompt === 'string') {
        const at = text++;
        return { prompt, before: before.continuations[at]!.continuation, after: after.continuations[at]!.continuation };
      }
      const { prompt: asked, expected, got, correct, task } = after.answers[row]!;
      const said = { prompt: asked, expected, before: before.answers[row++]!.got, after: got, correct };
      return task === undefined ? said : { ...said, task };
    }),
  ) as Said;
}
