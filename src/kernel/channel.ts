import type { MimeBundle } from '../base/core/index.js';

/** What the protocol process asks of the executor. Each request gets one `reply` event with the same id. */
export type ToExecutor =
  | { id: number; type: 'execute'; code: string; cell: number; expressions: Record<string, string>; silent: boolean }
  | { id: number; type: 'complete' | 'inspect'; code: string; position: number }
  | { id: number; type: 'isComplete'; code: string }
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

/** What the executor tells, in the order in which it happened. */
export type FromExecutor =
  | { type: 'ready' }
  | { type: 'stream'; name: 'stdout' | 'stderr'; text: string }
  | { type: 'display'; data: MimeBundle; metadata: Record<string, unknown>; displayId?: string; update: boolean }
  | { type: 'clear'; wait: boolean }
  | { type: 'reply'; id: number; value: unknown }
  | { type: 'exit'; code: number };

/** Numbers of the file descriptors the executor inherits beside stdio and Node's IPC channel (3). */
export const EVENTS_FD = 4;
/** Read by the executor's helper thread, so that an interrupt arrives while the main thread computes. */
export const INTERRUPT_FD = 5;
