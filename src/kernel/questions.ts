import { type Answer, INTERRUPTED, type Question } from './channel.js';
import type { Message } from './wire.js';

/** What {@link Questions} speaks through. */
export interface QuestionPorts {
  /** Send an `input_request` to the front end that sent `request`; returns its message id. */
  ask(request: Message, content: { prompt: string; password: boolean }): string;
  /** Take an answer to the executor. */
  answer(question: Question, answer: Answer): void;
}

/** The protocol side of stdin: one question is before the user at a time, for the running cell and the front end that sent it. */
export class Questions {
  readonly #ports: QuestionPorts;
  #cell: Message | undefined;
  /** The first is before the user. */
  #queue: Question[] = [];
  #asked: string | undefined;

  constructor(ports: QuestionPorts) {
    this.#ports = ports;
  }

  /** A cell starts: questions are its own. */
  begin(cell: Message): void {
    this.#cell = cell;
  }

  /** The cell ended; a question that is still open belongs to nobody. */
  end(): void {
    this.#cell = undefined;
    this.#refuseAll('the cell has ended');
  }

  /** The cell is interrupted: its questions end. */
  interrupt(): void {
    this.#refuseAll(INTERRUPTED);
  }

  /** The executor is gone, and its questions with it. */
  forget(): void {
    this.#queue = [];
    this.#asked = undefined;
  }

  add(question: Question): void {
    const refusal = !this.#cell
      ? 'no cell is running, and a front end expects questions of a running cell only'
      : this.#cell.content.allow_stdin !== true
        ? 'the front end that sent the cell takes no input (allow_stdin is false)'
        : undefined;
    if (refusal) {
      this.#ports.answer(question, { question: question.question, refusal });
      return;
    }
    this.#queue.push(question);
    if (this.#queue.length === 1) this.#next();
  }

  /** An `input_reply`. */
  receive(reply: Message): void {
    const question = this.#queue[0];
    // An answer to an earlier question, whose cell was interrupted meanwhile. jupyter_client names no parent.
    const parent = reply.parent.msg_id;
    if (!question || !this.#fromAsker(reply) || (parent !== undefined && parent !== this.#asked)) return;
    this.#queue.shift();
    const { value, status } = reply.content;
    const answer = status === 'error' || typeof value !== 'string' ? { refusal: 'the question was dismissed' } : { value };
    this.#ports.answer(question, { question: question.question, ...answer });
    this.#next();
  }

  #next(): void {
    const question = this.#queue[0];
    this.#asked = undefined;
    if (!question || !this.#cell) return;
    this.#asked = this.#ports.ask(this.#cell, { prompt: question.prompt, password: question.password });
  }

  #fromAsker({ identities }: Message): boolean {
    const asker = this.#cell?.identities ?? [];
    return asker.length === identities.length && asker.every((part, i) => Buffer.compare(part, identities[i]!) === 0);
  }

  #refuseAll(refusal: string): void {
    const open = this.#queue;
    this.forget();
    for (const question of open) this.#ports.answer(question, { question: question.question, refusal });
  }
}
