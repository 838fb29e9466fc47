/** Who speaks a message. */
export type Role = 'system' | 'user' | 'assistant' | 'tool';

/** One message of a conversation, as in the OpenAI layout. */
export interface Message {
  role: Role;
  content: string;
  /** Context passage that goes with a user message: Alpaca's `input`. */
  input?: string;
  /** Training weight of this message's tokens; 0 leaves it untrained. Defaults to 1 for assistant messages. */
  weight?: number;
}

/** One example: a conversation and where it came from. */
export interface Row {
  messages: Message[];
  /** Name of the task the row belongs to, if it has one. */
  task?: string;
  /** File the row was read from, as the caller named it, or `memory`, `arquero`, `danfo`. */
  source?: string;
  /** Line of the file the row starts on, counted from 1; also inside a pretty-printed JSON array. */
  line?: number;
  /** Fields of the original row that have no place above, unchanged. */
  meta?: Record<string, unknown>;
}

/** How one example is written: `alpaca` {instruction, input?, output}, `messages` {messages: [{role, content}]}, `text` {text}. */
export type RowFormat = 'alpaca' | 'messages' | 'text';

/** A row that was read but cannot be used. */
export interface SkippedRow {
  /** Position among the rows read, from 0. */
  index: number;
  line?: number;
  /** What is wrong with it, e.g. `"output" is empty`. */
  reason: string;
}

/** What {@link readRows} did: nothing is dropped without being listed here. */
export interface ReadReport {
  source: string;
  format: RowFormat;
  /** Rows seen, usable or not. */
  read: number;
  kept: number;
  skipped: SkippedRow[];
}

/** Rows with the report of how they were read. An ordinary array otherwise (`map` and `slice` give plain arrays). */
export type Rows = Row[] & { report: ReadReport };

export interface ReadOptions {
  /** Layout of the rows. Defaults to `auto`: told from the keys of the first row, then demanded of all. */
  format?: RowFormat | 'auto';
  /** What to do with a malformed row (invalid JSON, a missing key, a wrong type): `throw` (the default) or `skip`, which lists it in the report. */
  onBad?: 'throw' | 'skip';
  /** Throw when more than this share of the rows is skipped. Defaults to 0.5; a file without one usable row always throws. */
  maxSkipped?: number;
  /** Stop after this many usable rows. */
  limit?: number;
  /** Stops the reading with `Interrupted`. */
  signal?: AbortSignal;
}
