import { BadInput, quote, Random } from '../../../base/core/index.js';
import type { Row } from '../../../prepare/data/index.js';
import type { Template } from '../../../prepare/templates/index.js';
import { encodePrompt, encodeSeq2SeqPrompt, stopsOf, type Tokenizer } from '../../../prepare/tokens/index.js';
import type { Stops } from '../generate.js';
import { answerOf, field, plainPrompt, promptOf, question } from '../questions.js';

/** How a model is shown examples instead of being tuned on them. */
export interface FewShotOptions {
  /** Examples in front of every question; default 4. Where the model's context has no room for so many, fewer. */
  shots?: number;
  /**
   * `plain` (the default): texts, a question (what a system message says before it), a line break and its answer, with a blank line between; `template`: earlier turns of the
   * conversation.
   */
  form?: 'plain' | 'template';
  /** How plain examples are written. */
  write?: {
    example(question: string, answer: string): string;
    /** What is to be continued with the answer. */
    ask(question: string): string;
    /** Texts that end an answer. */
    stop: readonly string[];
  };
  /** Chooses the examples; default 1. */
  seed?: number | string;
}

/** What few-shot prompts are made with. */
interface Making extends FewShotOptions {
  tokenizer: Tokenizer;
  template: Template;
  startIds?: readonly number[];
  /** Tokens of a prompt at most: where the examples are too many for it, the last of them are left out. */
  longest?: number;
}

/** Prompts with examples in front, and how many of them got those of another task, or fewer than asked for lack of room. */
export interface FewShotPrompts {
  prompts: number[][];
  stops: Stops;
  elsewhere: number;
  shortened: number;
}

/** Prompts with examples in front. Rows of one task share theirs, so that the beginning of their prompts is the same. */
export function fewShotPrompts(rows: readonly Row[], trainRows: readonly Row[], options: Making): FewShotPrompts {
  const { shots = 4, form = 'plain', seed = 1, tokenizer, template, startIds, longest = Number.POSITIVE_INFINITY } = options;
  check(shots, form);
  const pool = new ExamplePool(trainRows, seed);
  let elsewhere = 0;
  const chosen = rows.map(row => {
    const { examples, own } = pool.examples(row, shots);
    if (!own) elsewhere++;
    return examples;
  });
  let shortened = 0;
  const fitting = (write: (row: Row, examples: readonly Row[], index: number) => number[]): number[][] =>
    rows.map((row, i) => {
      const examples = chosen[i]!;
      for (let count = examples.length; ; count--) {
        const prompt = write(row, examples.slice(0, count), i);
        if (prompt.length > longest && count > 0) continue;
        if (count < examples.length) shortened++;
        return prompt;
      }
    });
  if (form === 'template') {
    const encode = startIds ? encodeSeq2SeqPrompt : encodePrompt;
    const prompts = fitting((row, examples, i) => {
      const asked = promptOf(row, i);
      const system = asked.filter(message => message.role === 'system');
      const turns = examples.flatMap(example => example.messages.filter(message => message.role !== 'system'));
      return encode([...system, ...turns, ...asked.filter(message => message.role !== 'system')], { tokenizer, template });
    });
    return { prompts, stops: stopsOf(template, tokenizer), elsewhere, shortened };
  }
  const lines = trainRows.some(row => answerOf(row).includes('\n'));
  const write = options.write ?? {
    example: (asked: string, answer: string) => `${asked}\n${answer}\n\n`,
    ask: (asked: string) => `${asked}\n`,
    stop: [lines ? '\n\n' : '\n'],
  };
  // An encoder's text ends with EOS, a decoder's begins with BOS where there is one.
  const [before, behind] = startIds ? [undefined, tokenizer.eosId] : [tokenizer.bosId, undefined];
  const prompts = fitting((row, examples) => {
    const shown = examples.map(example => write.example(plainPrompt(example), answerOf(example))).join('');
    const text = shown + write.ask(plainPrompt(row));
    return [before ?? [], tokenizer.encodeContent(text).ids, behind ?? []].flat();
  });
  const ids = tokenizer.eosId === undefined ? [] : [tokenizer.eosId];
  return { prompts, stops: { ids, texts: [...write.stop] }, elsewhere, shortened };
}

function check(shots: number, form: string): void {
  const wrong = !(Number.isInteger(shots) && shots >= 0) ? 'shots' : ['plain', 'template'].includes(form) ? undefined : 'form';
  if (wrong === undefined) return;
  throw new BadInput({
    problem: 'few-shot prompts cannot be made so',
    where: { key: `fewShot.${wrong}` },
    expected: wrong === 'shots' ? 'a whole number from 0' : "'plain' or 'template'",
    found: quote(wrong === 'shots' ? shots : form),
  });
}

/** Training rows by task and cluster. */
export class ExamplePool {
  readonly #all: readonly Row[];
  readonly #byTask = new Map<string, Row[]>();
  readonly #byCluster = new Map<string, Row[]>();
  readonly #seed: number | string;

  constructor(rows: readonly Row[], seed: number | string) {
    this.#all = rows;
    this.#seed = seed;
    const put = (map: Map<string, Row[]>, key: string | undefined, row: Row) => {
      if (key === undefined) return;
      const list = map.get(key);
      if (list) list.push(row);
      else map.set(key, [row]);
    };
    for (const row of rows) {
      put(this.#byTask, row.task, row);
      put(this.#byCluster, field(row, 'cluster'), row);
    }
  }

  /** Rows of the same task; where there are none of the same cluster; else all. */
  like(row: Row): { rows: readonly Row[]; own: boolean } {
    const own = row.task === undefined ? undefined : this.#byTask.get(row.task);
    if (own) return { rows: own, own: true };
    const cluster = field(row, 'cluster');
    return { rows: (cluster !== undefined && this.#byCluster.get(cluster)) || this.#all, own: row.task === undefined };
  }

  /** `count` of them, the same for every row of a task; never the row itself. */
  examples(row: Row, count: number): { examples: Row[]; own: boolean } {
    const { rows, own } = this.like(row);
    const random = new Random(`few-shot/${this.#seed}/${row.task ?? ''}`);
    const asked = question(row);
    const drawn = random.sample(rows, Math.min(count + 1, rows.length)).filter(example => question(example) !== asked);
    return { examples: drawn.slice(0, count), own };
  }
}
