import { BadInput, setView } from '../../base/core/index.js';
import type { Tokenizer } from '../../prepare/tokens/index.js';
import { type AnsweringModel, complete, type MeanLoss, type MeasurableModel, meanLoss } from '../evaluate/index.js';
import { textRows } from './text-rows.js';

/** Loss of the model on base text, nats per token. What it rises by during tuning was forgotten. */
export async function baseLoss(options: {
  model: MeasurableModel;
  tokenizer: Tokenizer;
  texts: readonly string[];
  /** Tokens of one window; defaults to 64. */
  length?: number;
  batchSize?: number;
  signal?: AbortSignal;
}): Promise<MeanLoss> {
  const { model, tokenizer, texts, length, batchSize, signal } = options;
  return meanLoss({ model, rows: textRows({ tokenizer, texts, length }), batchSize, signal, label: 'loss on base text' });
}

/** A probe: text that has one right continuation. */
export interface Probe {
  prompt: string;
  answer: string;
}

/** Result of {@link factRecall}. */
export interface Recall {
  /** Share of probes continued rightly, 0 to 1. */
  score: number;
  n: number;
  /** The probes continued otherwise, with what came instead. */
  missed: (Probe & { got: string })[];
}

/** Whether the model still continues plain-text probes as base text would: greedy, compared word by word; what ends the sentence does not count. */
export async function factRecall(options: {
  model: AnsweringModel;
  tokenizer: Tokenizer;
  facts: readonly Probe[];
  batchSize?: number;
  signal?: AbortSignal;
}): Promise<Recall> {
  const { facts, tokenizer, ...rest } = options;
  const empty = facts.findIndex(fact => !fact?.prompt?.trim() || !fact.answer?.trim());
  if (facts.length === 0 || empty >= 0)
    throw new BadInput({
      problem: facts.length === 0 ? 'There are no facts to recall' : `Fact ${empty} has no prompt, or no answer`,
      where: { key: 'facts' },
      expected: "{ prompt: 'tom lives in', answer: 'oslo' }",
    });
  const longest = Math.max(...facts.map(fact => tokenizer.encodeContent(` ${fact.answer}`).ids.length));
  const prompts = facts.map(fact => `\n${fact.prompt}`);
  const found = await complete({ ...rest, tokenizer, prompts, maxNewTokens: longest, label: 'recalling facts' });
  const words = (text: string) => text.trim().split(/\s+/);
  const missed = facts
    .map((fact, i) => ({ ...fact, got: words(found[i]!.continuation).slice(0, words(fact.answer).length).join(' ') }))
    .filter(({ answer }, i) => !begins(words(found[i]!.continuation).join(' '), words(answer).join(' ')));
  return { score: 1 - missed.length / facts.length, n: facts.length, missed };
}

/** Whether a text begins with an answer, and the answer's last word ends there; Chinese, Japanese and Thai words run on. */
function begins(text: string, answer: string): boolean {
  const runsOn = /^['’.,-]?[\p{L}\p{N}]/u.test(text.slice(answer.length));
  return (
    text.startsWith(answer) && (!runsOn || /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]$/u.test(answer))
  );
}

/** What a model knows of its base text at one moment. */
export class Memory {
  readonly baseLoss: number;
  /** Tokens behind `baseLoss`. */
  readonly tokens: number;
  /** Share of facts recalled; undefined when there were no probes. */
  readonly facts: number | undefined;

  constructor(loss: MeanLoss, recall?: Recall) {
    this.baseLoss = loss.loss;
    this.tokens = loss.tokens;
    this.facts = recall?.score;
  }
}

setView(Memory, ({ baseLoss, facts }) => {
  const rows = [{ measure: 'loss on base text (nats per token)', value: baseLoss }];
  if (facts !== undefined) rows.push({ measure: 'facts recalled (share)', value: facts });
  return { kind: 'table', data: rows };
});

/** {@link baseLoss} and, given facts, {@link factRecall} in one call: take it before and after training, then {@link compare}. */
export async function measure(options: {
  model: AnsweringModel & MeasurableModel;
  tokenizer: Tokenizer;
  texts: readonly string[];
  facts?: readonly Probe[];
  /** Tokens of one window; defaults to 64. */
  length?: number;
  signal?: AbortSignal;
}): Promise<Memory> {
  const { facts, length, ...rest } = options;
  const loss = await baseLoss({ ...rest, length });
  return new Memory(loss, facts?.length ? await factRecall({ ...rest, facts }) : undefined);
}
