import { readSync } from 'node:fs';
import { Unavailable } from '../base/core/index.js';
import { ANSWER_FD, type Answer, INTERRUPTED, type Question } from './channel.js';
import { KeyboardInterrupt } from './interrupt.js';

/** What `ask` takes beside its text. */
export interface AskOptions {
  /** Returned when the user enters nothing; shown in brackets. */
  default?: string;
  /** The front end hides what is typed. */
  password?: boolean;
}

interface Waiting {
  resolve(line: string): void;
  reject(error: Error): void;
}

/** The executor's side of stdin: a cell asks, the front end shows an input field, the answer comes back as one line. */
export class Asking {
  readonly #send: (question: Question) => void;
  readonly #interrupts: { readonly interrupted: boolean; check(): void };
  readonly #waiting = new Map<number, Waiting>();
  #number = 0;

  constructor(send: (question: Question) => void, interrupts: { readonly interrupted: boolean; check(): void }) {
    this.#send = send;
    this.#interrupts = interrupts;
  }

  /**
   * Ask and wait, as browsers' `prompt` does: nothing else of this process runs meanwhile. An interrupt ends the wait.
   * Throws `Unavailable` where the front end takes no input (nbclient, `tunebook run`).
   */
  prompt(message: unknown = '', fallback?: unknown): string {
    const options = { default: fallback === undefined ? undefined : String(fallback) };
    const { question, given } = this.#question(message, options, true);
    this.#send(question);
    const answer = this.#read(question.question);
    if ('value' in answer) return given(answer.value);
    if (answer.refusal === INTERRUPTED) {
      // The refusal may overtake the interrupt itself, which comes through the helper thread and ends the rest of the cell.
      for (let i = 0; i < 50 && !this.#interrupts.interrupted; i++) Atomics.wait(pause, 0, 0, 5);
      this.#interrupts.check();
    }
    throw refused(answer.refusal);
  }

  /** Ask without stopping the process: timers, training and displays go on until the answer is there. */
  ask(message: unknown = '', options: AskOptions = {}): Promise<string> {
    const { question, given } = this.#question(message, options, false);
    return new Promise<string>((resolve, reject) => {
      this.#waiting.set(question.question, { resolve: line => resolve(given(line)), reject });
      this.#send(question);
    });
  }

  /** The protocol process has the answer to an `ask`. */
  answered(answer: Answer): void {
    const waiting = this.#waiting.get(answer.question);
    this.#waiting.delete(answer.question);
    if ('value' in answer) waiting?.resolve(answer.value);
    else waiting?.reject(refused(answer.refusal));
  }

  #question(message: unknown, { default: fallback, password = false }: AskOptions, blocking: boolean) {
    const text = [String(message), ...(fallback === undefined ? [] : [`[${fallback}]`])].filter(Boolean).join(' ');
    // A front end writes the field right behind the text.
    const prompt = text === '' || /\s$/.test(text) ? text : `${text} `;
    const question: Question = { question: ++this.#number, prompt, password, blocking };
    return { question, given: (line: string) => (line === '' && fallback !== undefined ? fallback : line) };
  }

  /** The line that belongs to this question; answers to questions whose wait was cut are passed over. */
  #read(question: number): Answer {
    const chunk = Buffer.alloc(4096);
    let bytes: Buffer[] = [];
    while (true) {
      const size = readChunk(chunk);
      if (size === 0) throw refused('the kernel has ended');
      bytes.push(Buffer.from(chunk.subarray(0, size)));
      if (chunk[size - 1] !== 0x0a) continue;
      const lines = Buffer.concat(bytes).toString('utf8').trimEnd().split('\n');
      bytes = [];
      for (const line of lines) {
        const answer = JSON.parse(line) as Answer;
        if (answer.question === question) return answer;
      }
    }
  }
}

function readChunk(chunk: Buffer): number {
  while (true) {
    try {
      return readSync(ANSWER_FD, chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 5);
    }
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));

function refused(reason: string): Error {
  if (reason === INTERRUPTED) return new KeyboardInterrupt();
  return new Unavailable({
    problem: 'this cell cannot ask for input',
    found: reason,
    fix: 'put the value into the cell, or run it in a front end with an input field (JupyterLab, the Jupyter console)',
  });
}
