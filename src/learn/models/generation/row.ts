import { BadInput, Random } from '../../../base/core/index.js';
import type { GenerateOptions } from './options.js';
import { type Choice, choose } from './sampling.js';
import type { GenerativeModel } from './stepper.js';
import { stopTokens, TextSoFar } from './text.js';

/** Why a row ended: at a stop token or stop string, or at the length asked for (or at the end of the model's context). */
export type Finish = 'stop' | 'length';

/** One new token of a row. */
export interface Piece {
  /** Which prompt it continues. */
  row: number;
  token: number;
  /** Text that is now certain; '' while a character or a stop string is not decided. Undefined without a tokenizer. */
  text?: string;
  /** See `logProbs` of {@link GenerateOptions}. */
  logProb?: number;
  /** Set on the row's last token. */
  finish?: Finish;
}

/** One row on its way: what it has, how its next token is drawn, and when it ends. */
export class GeneratingRow {
  /** New tokens. */
  readonly tokens: number[] = [];
  readonly logProbs: number[] = [];
  readonly #options: GenerateOptions;
  readonly #random: Random;
  readonly #stops: ReadonlySet<number>;
  readonly #text: TextSoFar | undefined;
  readonly #seen: Set<number> | undefined;
  readonly #most: number;
  readonly #room: number;
  #finish: Finish | undefined;

  /**
   * @param index which of the prompts: it names the stream of random numbers
   * @param before what the row has already, which the repetition penalty counts: a decoder's prompt
   * @param room tokens that the context has left
   */
  constructor(
    readonly index: number,
    before: readonly number[],
    room: number,
    stopIds: readonly number[],
    options: GenerateOptions,
  ) {
    const { seed = 0, tokenizer, stopStrings, repetitionPenalty = 1, maxNewTokens = 64 } = options;
    this.#options = options;
    const one = typeof seed === 'number';
    this.#random = new Random(one ? seed : seed[index]!).fork(`row ${one ? index : 0}`);
    this.#stops = new Set([...stopIds, ...stopTokens(tokenizer, stopStrings)]);
    this.#text = tokenizer && new TextSoFar(tokenizer, stopStrings);
    this.#seen = repetitionPenalty === 1 ? undefined : new Set(before);
    this.#room = room;
    this.#most = Math.min(maxNewTokens, room);
    if (this.#most <= 0) this.#finish = 'length';
  }

  get finish(): Finish | undefined {
    return this.#finish;
  }

  /** Whether the context has no place for another token. */
  get full(): boolean {
    return this.tokens.length >= this.#room;
  }

  /** The text of the new tokens, without stop tokens, special tokens and what a stop string began. */
  get text(): string | undefined {
    return this.#text?.text;
  }

  /** Whether the most likely token by the raw logits is all that is asked for. */
  static greedy({ temperature = 0, repetitionPenalty = 1, logProbs }: GenerateOptions): boolean {
    return temperature === 0 && repetitionPenalty === 1 && !logProbs;
  }

  /** Draw a token from the row's logits, [vocabSize]. */
  draw(logits: Float32Array): Choice {
    return choose(logits, this.#options, this.#random, this.#seen, Boolean(this.#options.logProbs));
  }

  /** Take a token; the row may be finished by it. */
  accept(token: number, choice?: Choice): Piece {
    const piece: Piece = { row: this.index, token };
    this.tokens.push(token);
    this.#seen?.add(token);
    const { logProbs } = this.#options;
    if (choice && logProbs) {
      piece.logProb = logProbs === 'processed' ? choice.processedLogProb : choice.logProb;
      this.logProbs.push(piece.logProb);
    }
    if (this.#stops.has(token)) this.#finish = 'stop';
    else if (this.#text) {
      piece.text = this.#text.push(token);
      if (this.#text.stopped) this.#finish = 'stop';
    }
    if (this.#finish === undefined && this.tokens.length >= this.#most) this.#finish = 'length';
    if (this.#finish && this.#text) piece.text = (piece.text ?? '') + this.#text.end();
    if (this.#finish) piece.finish = this.#finish;
    return piece;
  }
}

/** The rows of a call. Throws BadInput for a prompt that is empty or longer than the context. */
export function startRows(
  model: GenerativeModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
  reserved: number = 0,
): GeneratingRow[] {
  const context = model.config.maxPositionEmbeddings - reserved;
  const { startIds } = model;
  return prompts.map((prompt, index) => {
    if (prompt.length === 0)
      throw new BadInput({
        problem: `Row ${index} has no tokens`,
        expected: 'at least one token that is not padding',
        fix: 'begin an empty prompt with the bos or eos token',
      });
    if (!startIds && prompt.length > context)
      throw new BadInput({
        problem: `Row ${index} is longer than the model's context`,
        expected: `at most ${context} tokens`,
        found: `${prompt.length}`,
        fix: 'shorten the prompt, or use a model with a longer context',
      });
    // The last token needs no place: nothing is asked after it.
    const room = context + 1 - (startIds ?? prompt).length;
    return new GeneratingRow(index, startIds ?? prompt, room, options.stopIds ?? model.stopIds, options);
  });
}
