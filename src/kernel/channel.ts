import type { MimeBundle } from '../base/core/index.js';

/** What the protocol process asks of the executor. Each request gets one `reply` event with the same id. */
export type ToExecutor =
  | {
      id: number;
      type: 'execute';
      serial: number;
      code: string;
      cell: number;
      expressions: Record<string, string>;
      silent: boolean;
    }
  | { id: number; type: 'complete'; code: string; position: number }
  | { id: number; type: 'inspect'; code: string; position: number; detail: number }
  | { id: number; type: 'isComplete'; code: string }
  | ({ id: number; type: 'comm' } & CommEvent)
  | { id: number; type: 'answer'; answer: Answer }
  | { id: number; type: 'shutdown' };

/** An exception as front ends show it. */
export interface ErrorContent {
  ename: string;
  evalue: string;
  /** Lines with ANSI colours. */
  traceback: string[];
}

/** How a cell ended. */
export type CellOutcome =
  | { status: 'ok'; result?: { data: MimeBundle; metadata: Record<string, unknown> }; expressions: Record<string, unknown> }
  | ({ status: 'error'; interrupted: boolean } & ErrorContent);

/** A `comm_open`, `comm_msg` or `comm_close`, in either direction. */
export interface CommEvent {
  event: 'open' | 'msg' | 'close';
  commId: string;
  /** Of an `open`. */
  target?: string;
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
  /** Base64. */
  buffers: string[];
}

/** A cell's wish to ask the user for a line of text. */
export interface Question {
  question: number;
  prompt: string;
  password: boolean;
  /** The executor's main thread waits at {@link ANSWER_FD}; otherwise an `answer` request brings the line. */
  blocking: boolean;
}

/** What became of a question: a JSON line through {@link ANSWER_FD} when the cell waits there, an `answer` request otherwise. */
export type Answer = { question: number } & ({ value: string } | { refusal: string });

/** What the executor tells, in the order in which it happened. */
export type FromExecutor =
  | { type: 'ready' }
  | { type: 'stream'; cell: number; name: 'stdout' | 'stderr'; text: string }
  | { type: 'display'; cell: number; data: MimeBundle; metadata: Record<string, unknown>; displayId?: string; update: boolean }
  | { type: 'clear'; cell: number; wait: boolean }
  /** What another process wrote to our stdout and stderr comes before what follows. */
  | { type: 'afterRaw' }
  /** Wanted: word when this is passed on, since another process is going to write to our stdout and stderr. */
  | { type: 'beforeRaw'; number: number }
  /** Code was stopped by force, and requests may have been lost with it. */
  | { type: 'forced' }
  | { type: 'page'; data: MimeBundle }
  | ({ type: 'comm' } & CommEvent)
  | ({ type: 'question' } & Question)
  | { type: 'reply'; id: number; value: unknown }
  /** The cell itself ended the process. */
  | { type: 'exit'; code: number };

/** Refusal of a question whose cell was interrupted. */
export const INTERRUPTED = 'interrupted';

/** Numbers of the file descriptors the executor inherits beside stdio and Node's IPC channel (3). */
export const EVENTS_FD = 4;
/** Read by the executor's helper thread, so that an interrupt arrives while the main thread computes. */
export const INTERRUPT_FD = 5;
/** Read synchronously by a cell that waits in `prompt()`. */
export const ANSWER_FD = 6;
