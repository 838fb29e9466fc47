import type { ColumnTable } from 'arquero';
import { BadInput, quote, setView } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import { fromSaved } from '../../prepare/tasks/index.js';
import type { Template } from '../../prepare/templates/index.js';
import { encode, encodeSeq2Seq, stopIds, type Tokenizer } from '../../prepare/tokens/index.js';
import { wilson } from './interval.js';
import { type LikelihoodOptions, type LikelihoodRequest, logLikelihoods } from './likelihood.js';
import { normalise } from './normalise.js';
import { answerOf, needRows, plainPrompt, promptOf, question } from './questions.js';

/** Options of {@link choices}. */
export interface ChoicesOptions extends LikelihoodOptions {
  tokenizer: Tokenizer;
  /**
   * With one, every choice is the assistant's answer (its end of turn not counted). Without, choices continue the question as plain
   * text (a system message and earlier turns before it, a line each), encoded as lm-eval does: question and choice together, spaces at
   * the border on the choice's side.
   */
  template?: Template;
  /** Rows that end with the right choice. */
  rows: readonly Row[];
  /** Choices of a row; default: its `choices`, `meta.choices`, or those of its checker. */
  of?: (row: Row) => readonly string[];
  /** What stands between question and choice in plain text; default a space. */
  delimiter?: string;
}

/** How often the right choice was the likeliest. */
export interface ChoiceAccuracy {
  /** What the likelihood was divided by. */
  by: 'nothing' | 'characters' | 'bytes' | 'tokens';
  n: number;
  accuracy: number;
  low: number;
  high: number;
}

/** The choices of one row. */
export interface ChoiceSample {
  prompt: string;
  choices: readonly string[];
  /** Index of the right choice. */
  gold: number;
  /** Σ log p of each choice, nats. */
  logLikelihoods: number[];
  /** Tokens of each choice. */
  tokens: number[];
  /** Index of the likeliest choice under each norm. */
  chosen: Record<ChoiceAccuracy['by'], number>;
  task?: string;
}

const NORMS = ['nothing', 'characters', 'bytes', 'tokens'] as const;

/** Result of {@link choices}. */
export class ChoiceScores {
  readonly samples: readonly ChoiceSample[];

  constructor(samples: readonly ChoiceSample[]) {
    this.samples = samples;
  }

  get n(): number {
    return this.samples.length;
  }

  /** lm-eval's `acc`: the likeliest choice. */
  get acc(): number {
    return this.accuracy('nothing').accuracy;
  }

  /** lm-eval's `acc_norm`: the likeliest per character. */
  get accNorm(): number {
    return this.accuracy('characters').accuracy;
  }

  /** lm-eval's `acc_bytes`: the likeliest per byte of UTF-8. */
  get accBytes(): number {
    return this.accuracy('bytes').accuracy;
  }

  /** The likeliest per token. */
  get accTokens(): number {
    return this.accuracy('tokens').accuracy;
  }

  /** What guessing gives: the mean of 1 ÷ number of choices. */
  get chance(): number {
    return this.samples.reduce((sum, { choices }) => sum + 1 / choices.length, 0) / this.n;
  }

  /** Every row as one of an arquero table: task, prompt, the right choice, the chosen one and whether it is right, and how likely each was. */
  async table(): Promise<ColumnTable> {
    const { from } = await import('arquero');
    return from(
      this.samples.map(({ prompt, choices, gold, logLikelihoods, chosen, task }, index) => ({
        index,
        task: task ?? null,
        prompt,
        expected: choices[gold]!,
        chosen: choices[chosen.nothing]!,
        correct: chosen.nothing === gold,
        ...Object.fromEntries(NORMS.slice(1).map(by => [`correct by ${by}`, chosen[by] === gold])),
        choices: [...choices],
        logLikelihoods: [...logLikelihoods],
      })),
    );
  }

  /** Under one norm, with Wilson's 95 % interval. */
  accuracy(by: ChoiceAccuracy['by']): ChoiceAccuracy {
    const hits = this.samples.filter(({ chosen, gold }) => chosen[by] === gold).length;
    return { by, n: this.n, accuracy: hits / this.n, ...wilson(hits, this.n) };
  }
}

setView(ChoiceScores, it => ({
  kind: 'intervals',
  data: {
    title: 'The right choice is the likeliest',
    unit: 'share',
    reference: it.chance,
    rows: NORMS.map(by => it.accuracy(by)).map(({ by, accuracy, low, high }) => ({
      label: by === 'nothing' ? 'log-likelihood' : `per ${by.replace(/s$/, '')}`,
      value: accuracy,
      low,
      high,
    })),
    notes: [`${it.n} rows. The line is what guessing gives.`],
  },
}));

/**
 * Multiple choice without generation: which choice does the model find likeliest? `await evaluate.choices({ model, tokenizer, rows })`
 * gives lm-eval's `acc`, `acc_norm` and `acc_bytes`, and the same per token.
 * @throws BadInput for rows without choices, or whose answer is none of them.
 */
export async function choices(options: ChoicesOptions): Promise<ChoiceScores> {
  const { rows, of = choicesOf } = options;
  needRows(rows);
  const asked = rows.map((row, i) => {
    promptOf(row, i);
    const list = of(row);
    return { row, list, gold: goldOf(row, list, i) };
  });
  const requests = asked.flatMap(({ row, list }) => list.map(choice => request(row, choice, options)));
  const likelihoods = await logLikelihoods(requests, { label: 'weighing choices', ...options });
  let at = 0;
  return new ChoiceScores(
    asked.map(({ row, list, gold }) => {
      const own = likelihoods.slice(at, at + list.length);
      const tokens = requests.slice(at, at + list.length).map(r => r.continuation.length);
      at += list.length;
      const by = (length: (choice: string, i: number) => number) => likeliest(own.map((ll, i) => ll / length(list[i]!, i)));
      return {
        prompt: question(row),
        choices: list,
        gold,
        logLikelihoods: own,
        tokens,
        chosen: {
          nothing: by(() => 1),
          // Python counts code points.
          characters: by(choice => [...choice].length),
          bytes: by(choice => Buffer.byteLength(choice)),
          tokens: by((_, i) => tokens[i]!),
        },
        ...(row.task === undefined ? {} : { task: row.task }),
      };
    }),
  );
}

/** The first of the greatest. */
function likeliest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

function choicesOf(row: Row): readonly string[] {
  const found = [(fromSaved(row) as { choices?: unknown }).choices, row.meta?.choices, checkerOf(row).choices].find(
    Array.isArray,
  ) as unknown[] | undefined;
  return found?.filter((choice): choice is string => typeof choice === 'string') ?? [];
}

interface ChoiceChecker {
  choices?: unknown;
  answer?: unknown;
  inner?: unknown;
}

/** The row's checker; of one of form the one inside it, which judges the answer itself. */
function checkerOf(row: Row): ChoiceChecker {
  let checker = (fromSaved(row) as { checker?: ChoiceChecker }).checker;
  while (typeof checker?.inner === 'object' && checker.inner !== null) checker = checker.inner;
  return checker ?? {};
}

function goldOf(row: Row, list: readonly string[], index: number): number {
  const { answer: known } = checkerOf(row);
  const answer = typeof known === 'string' ? known : answerOf(row);
  const same = [(a: string) => a === answer, (a: string) => normalise(a) === normalise(answer)];
  const gold = same.map(equal => list.findIndex(equal)).find(at => at >= 0);
  const empty = list.findIndex(choice => choice.trim() === '');
  if (gold !== undefined && list.length >= 2 && empty < 0) return gold;
  throw new BadInput({
    problem:
      list.length < 2
        ? `row ${index} has ${list.length === 0 ? 'no choices' : 'one choice'}`
        : empty >= 0
          ? `choice ${empty} of row ${index} is empty`
          : `the answer of row ${index} is none of its choices`,
    where: { file: row.source, line: row.line, key: 'choices' },
    expected: 'two choices or more, none empty, the right one among them',
    found: quote(list.length === 0 ? 'none' : [answer, ...list]),
    fix: 'give rows with choices: [...], or say with `of` where they are',
  });
}

function request(row: Row, choice: string, { tokenizer, template, model, delimiter = ' ' }: ChoicesOptions): LikelihoodRequest {
  const messages = row.messages.with(-1, { role: 'assistant', content: choice });
  if (template && model.startIds) {
    const { ids, labels } = encodeSeq2Seq({ ...row, messages }, { tokenizer, template });
    return { context: ids, continuation: labels.slice(0, -1) };
  }
  if (template) {
    const { ids, labels } = encode({ ...row, messages }, { tokenizer, template, train: 'response' });
    const first = labels.findIndex(label => label >= 0);
    const stops = new Set(stopIds(template, tokenizer));
    const end = ids.findIndex((id, at) => at >= first && stops.has(id));
    return { context: ids.slice(0, first), continuation: ids.slice(first, end < 0 ? ids.length : end) };
  }
  return plainRequest(plainPrompt(row), delimiter + choice, tokenizer, model.startIds !== undefined);
}

/** As lm-eval's `_encode_pair`: white space at the end of the context goes to the continuation, and both are encoded together. */
function plainRequest(context: string, continuation: string, tokenizer: Tokenizer, seq2seq: boolean): LikelihoodRequest {
  const before = context.trimEnd();
  const rest = context.slice(before.length) + continuation;
  const encoded = (text: string) => tokenizer.encodeContent(text).ids;
  if (seq2seq) return { context: [...encoded(before), tokenizer.eosId ?? []].flat(), continuation: encoded(rest) };
  const prefix = tokenizer.bosId ?? tokenizer.eosId;
  if (before === '') return { context: prefix === undefined ? [] : [prefix], continuation: encoded(rest) };
  const bos = tokenizer.addsBos && tokenizer.bosId !== undefined ? [tokenizer.bosId] : [];
  const length = encoded(before).length;
  const whole = encoded(before + rest);
  return { context: [...bos, ...whole.slice(0, length)], continuation: whole.slice(length) };
}
