import { host, setView } from '../../../base/core/index.js';
import type { Message, TextMessage } from '../../../prepare/data/index.js';
import type { Finish } from '../generation/row.js';
import type { ReplyStream } from './reply-stream.js';

/** What a {@link Reply} is made from. */
export interface ReplyParts {
  /** The conversation that was replied to. */
  asked: readonly Message[];
  text: string;
  ids: number[];
  promptIds: number[];
  finish: Finish;
  logProbs?: number[];
  /** Seconds from the question to the last token. */
  seconds: number;
  /** Go on with this conversation. */
  goOn(conversation: Message[]): ReplyStream;
}

/** What the model said, and the conversation with it. Shows itself as that conversation. */
export class Reply {
  readonly message: TextMessage & { role: 'assistant' };
  /** Its text, without the stop token or stop string. */
  readonly text: string;
  /** Its tokens, the stop token included. */
  readonly ids: number[];
  /** Tokens of the prompt: the conversation as the template writes it. */
  readonly promptIds: number[];
  /** `stop` at a stop token or stop string, `length` at `maxNewTokens` or the end of the context. */
  readonly finish: Finish;
  /** When asked for: log-probability of every token, in nats. */
  readonly logProbs?: number[];
  /** The conversation with this reply at its end. */
  readonly conversation: Message[];
  readonly seconds: number;
  readonly #goOn: ReplyParts['goOn'];
  /** The cell in which it was shown as it was written: its signal, which every cell has a new one of. */
  #shownIn: AbortSignal | undefined;

  constructor({ asked, text, ids, promptIds, finish, logProbs, seconds, goOn }: ReplyParts) {
    this.message = { role: 'assistant', content: text };
    this.text = text;
    this.ids = ids;
    this.promptIds = promptIds;
    this.finish = finish;
    if (logProbs) this.logProbs = logProbs;
    this.conversation = [...asked, this.message];
    this.seconds = seconds;
    this.#goOn = goOn;
  }

  /** Say something more, with the same options: `await reply.ask('And backwards?')`. */
  ask(content: string): ReplyStream {
    return this.#goOn([...this.conversation, { role: 'user', content }]);
  }

  /** In words: how long it took and why it ended. */
  get note(): string {
    const { length } = this.ids;
    const speed = this.seconds > 0 ? `, ${Math.round(length / this.seconds)} a second` : '';
    const end = this.finish === 'stop' ? 'ended by itself' : 'cut off at the length allowed';
    return `${length} token${length === 1 ? '' : 's'} after ${this.promptIds.length} of the prompt${speed}; ${end}`;
  }

  /** It stands in the running cell already: there only its note is to be shown. */
  shown(): void {
    this.#shownIn = host()?.signal;
  }

  /** Whether it stands in the running cell already. */
  get isShown(): boolean {
    return this.#shownIn !== undefined && this.#shownIn === host()?.signal;
  }
}

setView(Reply, reply => ({
  kind: 'conversation',
  data: { messages: reply.conversation, note: reply.note, noteOnly: reply.isShown },
}));
