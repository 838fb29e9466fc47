import { BadInput, follower, host, Interrupted, setView, type Viewable } from '../../../base/core/index.js';
import type { Message, Row } from '../../../prepare/data/index.js';
import type { Template } from '../../../prepare/templates/index.js';
import { stopsOf, type Tokenizer, type WriteOptions } from '../../../prepare/tokens/index.js';
import type { GenerateOptions } from '../generation/options.js';
import type { Finish, Piece } from '../generation/row.js';
import { stream } from '../generation/stream.js';
import type { Model } from '../model.js';
import { templateOf, tokenizerOf } from './companions.js';
import { type Asked, promptOf, rowOf } from './prompt.js';
import { Reply } from './reply.js';

/** Options of {@link Model.chat}: those of generation, and how the conversation is written and shown. */
export interface ChatOptions
  extends Omit<GenerateOptions, 'tokenizer' | 'attentionMask' | 'seed'>,
    Pick<WriteOptions, 'tools' | 'documents' | 'thinking'> {
  /** Upper bound of the reply's tokens; 256 unless told. The end of the model's context is another. */
  maxNewTokens?: number;
  /** The one in the model's directory unless told. */
  tokenizer?: Tokenizer;
  /** A template or its name; the chat template in the model's directory unless told. */
  template?: Template | string;
  /** Seed of the sampling (`temperature` above 0). */
  seed?: number;
  /** Called with every token of the reply. */
  onToken?: (piece: ReplyPiece) => void;
  /** In a notebook, show the conversation and the reply as it is written when it is awaited. Default true. */
  display?: boolean;
  /** Write the reply to standard output as it comes. Default false. */
  print?: boolean;
}

/** A token of a reply. `text` is what is now certain: '' while a character or a stop string is not decided. */
export interface ReplyPiece extends Piece {
  text: string;
}

/** Tokens of a reply unless told. */
const LENGTH = 256;

/**
 * A reply that is being written. Await it for the {@link Reply}, or read it piece by piece: `for await (const piece of
 * model.chat('Hello')) process.stdout.write(piece.text)`. Nothing happens before; it is written once. Leaving the loop, an
 * aborted signal and a notebook's interrupt end the work and free everything; awaiting it then throws Interrupted.
 */
export class ReplyStream implements AsyncIterable<ReplyPiece>, PromiseLike<Reply> {
  readonly #model: Model;
  readonly #asked: Pick<Row, 'messages' | 'tools' | 'documents'>;
  readonly #options: ChatOptions;
  readonly #listeners = new Set<() => void>();
  readonly #ids: number[] = [];
  readonly #logProbs: number[] = [];
  #text = '';
  #state: 'new' | 'writing' | 'done' | 'stopped' = 'new';
  #reply: Reply | undefined;
  #failure: unknown;
  #whole: Promise<Reply> | undefined;

  constructor(model: Model, asked: Asked, options: ChatOptions) {
    this.#model = model;
    this.#asked = rowOf(asked);
    this.#options = options;
  }

  /** What was said so far. */
  get text(): string {
    return this.#text;
  }

  /** The conversation as far as it goes. */
  get conversation(): Message[] {
    const said: Message[] = this.#text === '' && this.#state === 'new' ? [] : [{ role: 'assistant', content: this.#text }];
    return [...this.#asked.messages, ...said];
  }

  get state(): 'new' | 'writing' | 'done' | 'stopped' {
    return this.#state;
  }

  /** Call `listener` when there is more; returns the function that unsubscribes. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting it is what it is for
  then<A = Reply, B = never>(
    onReply?: ((reply: Reply) => A | PromiseLike<A>) | null,
    onFailure?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#await().then(onReply, onFailure);
  }

  [Symbol.asyncIterator](): AsyncGenerator<ReplyPiece, void> {
    if (this.#state !== 'new')
      throw new BadInput({ problem: 'The reply is read already', fix: 'ask again: model.chat(…), or read its text' });
    this.#state = 'writing';
    return this.#write();
  }

  async #await(): Promise<Reply> {
    if (this.#state === 'new') this.#whole = this.#toEnd();
    if (this.#whole) return this.#whole;
    if (this.#reply) return this.#reply;
    if (this.#state === 'writing')
      throw new BadInput({ problem: 'A loop is reading this reply', fix: 'let the loop end, then await the reply' });
    throw this.#failure;
  }

  async #toEnd(): Promise<Reply> {
    const pieces = this[Symbol.asyncIterator]();
    const following = this.#options.display === false ? undefined : follower()?.(this as this & Viewable);
    try {
      while (!(await pieces.next()).done);
    } finally {
      await following?.stop();
    }
    if (following) this.#reply!.shown();
    return this.#reply!;
  }

  async *#write(): AsyncGenerator<ReplyPiece, void> {
    const {
      onToken,
      print,
      maxNewTokens = LENGTH,
      tools,
      documents,
      thinking,
      template: named,
      display: _,
      ...options
    } = this.#options;
    const started = performance.now();
    try {
      const tokenizer = await tokenizerOf(this.#model, options.tokenizer);
      const template = await templateOf(this.#model, named);
      const promptIds = promptOf(this.#model, this.#asked, { tokenizer, template, tools, documents, thinking });
      const ends = stopsOf(template, tokenizer);
      const stops = options.stopIds ?? [...new Set([...ends.ids, ...this.#model.stopIds])];
      const strings = options.stopIds ? options.stopStrings : [...ends.texts, ...(options.stopStrings ?? [])];
      const signals = [options.signal, host()?.signal].filter(signal => signal !== undefined);
      const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
      let finish: Finish = 'length';
      for await (const piece of stream(this.#model, [promptIds], {
        ...options,
        tokenizer,
        stopIds: stops,
        stopStrings: strings,
        maxNewTokens,
        signal,
      })) {
        const { text = '' } = piece;
        this.#ids.push(piece.token);
        if (piece.logProb !== undefined) this.#logProbs.push(piece.logProb);
        this.#text += text;
        finish = piece.finish ?? finish;
        if (print) process.stdout.write(text);
        this.#changed();
        const given: ReplyPiece = { ...piece, text };
        onToken?.(given);
        yield given;
      }
      if (print) process.stdout.write('\n');
      this.#reply = new Reply({
        asked: this.#asked.messages,
        text: this.#text,
        ids: this.#ids,
        promptIds,
        finish,
        ...(options.logProbs ? { logProbs: this.#logProbs } : {}),
        seconds: (performance.now() - started) / 1000,
        goOn: messages => new ReplyStream(this.#model, { ...this.#asked, messages }, this.#options),
      });
      this.#state = 'done';
    } catch (error) {
      this.#failure = error;
      throw error;
    } finally {
      if (this.#state !== 'done') {
        this.#state = 'stopped';
        this.#failure ??= new Interrupted({ problem: 'The reply was not read to its end' });
      }
      this.#changed();
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

setView(ReplyStream, reply => ({
  kind: 'conversation',
  data: {
    messages: reply.conversation,
    writing: reply.state === 'writing',
    ...(reply.state === 'stopped' ? { note: 'stopped' } : {}),
  },
}));
