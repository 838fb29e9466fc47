/** Who speaks a message. */
export type Role = 'system' | 'user' | 'assistant' | 'tool';

/** A part of one message with its own training weight. Joined, the texts of the parts are the message. */
export interface Part {
  text: string;
  /** Training weight of this part's tokens, times the message's; 0 leaves them untrained. Defaults to 1. */
  weight?: number;
  /** False is weight 0; true trains the part of a message that is not trained otherwise (a user's, say). */
  train?: boolean;
}

/** A call of a tool, made by the assistant. */
export interface ToolCall {
  id?: string;
  name: string;
  /** Arguments by name, or the JSON text a model wrote, kept as it is. */
  arguments: Record<string, unknown> | string;
}

/**
 * One message of a conversation, in one spelling. Readers accept OpenAI's wire spellings (`tool_calls` with
 * `function: {name, arguments}`, `tool_call_id`, `reasoning_content`) and give this one; Jinja templates get the wire spellings.
 */
export interface Message {
  role: Role;
  /** The text, or its parts where they are to be trained differently. */
  content: string | Part[];
  /** Context passage that goes with a user message: Alpaca's `input`, a retrieved document. */
  input?: string;
  /** Training weight of this message's tokens; 0 leaves it untrained. Defaults to 1 for messages that are trained. */
  weight?: number;
  /** False leaves the message untrained; true trains one that is not trained otherwise. */
  train?: boolean;
  /** Name of the speaker, or of the tool a `tool` message comes from. */
  name?: string;
  /** Tools the assistant calls after its `content`. */
  toolCalls?: ToolCall[];
  /** The call a `tool` message answers. */
  toolCallId?: string;
  /** What the assistant reasoned before its `content` (`<think>`), without the tags. */
  thinking?: string;
}

/** A message whose content is one text, as most rows have it. */
export interface TextMessage extends Message {
  content: string;
}

/** One example: a conversation and where it came from. */
export interface Row {
  messages: Message[];
  /** Tools the assistant may call, as JSON schemas in OpenAI's layout. */
  tools?: object[];
  /** Documents for retrieval, for templates that print them. */
  documents?: object[];
  /** Name of the task the row belongs to, if it has one. */
  task?: string;
  /** File the row was read from, as the caller named it, or `memory`, `arquero`, `danfo`. */
  source?: string;
  /** Line of the file the row starts on, counted from 1; also inside a pretty-printed JSON array. */
  line?: number;
  /** Fields of the original row that have no place above, unchanged. */
  meta?: Record<string, unknown>;
}

/** Two answers to one prompt, one preferred. */
export interface PreferenceRow {
  prompt: Message[];
  chosen: Message[];
  rejected: Message[];
  /** Tools the assistant may call, as JSON schemas in OpenAI's layout. */
  tools?: object[];
  task?: string;
  source?: string;
  line?: number;
  meta?: Record<string, unknown>;
}

/** One answer and whether it is wanted (KTO). */
export interface UnaryRow {
  prompt: Message[];
  completion: Message[];
  desirable: boolean;
  /** Tools the assistant may call, as JSON schemas in OpenAI's layout. */
  tools?: object[];
  task?: string;
  source?: string;
  line?: number;
  meta?: Record<string, unknown>;
}

/**
 * How an example is written; which keys each layout has is said where it is read (src/prepare/data/layouts).
 * `preferences` gives {@link PreferenceRow}s, `unary` {@link UnaryRow}s, all others {@link Row}s.
 */
export type RowFormat =
  | 'alpaca'
  | 'dolly'
  | 'induction'
  | 'inputs-targets'
  | 'messages'
  | 'oasst'
  | 'preferences'
  | 'prompt-completion'
  | 'self-instruct'
  | 'sharegpt'
  | 'superni'
  | 'text'
  | 'unary';

/** How rows are kept in a file. Any of them may be gzipped. */
export type Container = 'csv' | 'json' | 'jsonl' | 'parquet' | 'text' | 'tsv';

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
  layout?: RowFormat | 'auto';
  /** The same as `layout`. */
  format?: RowFormat | 'auto';
  /**
   * What the file calls the keys of a layout, as layout's key: file's key. `{ instruction: 'question', output: 'answer' }` reads GSM8K
   * as Alpaca rows, `{ system: 'system_prompt', instruction: 'question', output: 'response' }` OpenOrca. A key of the file's that
   * another one takes the name of is left out.
   */
  columns?: Readonly<Record<string, string>>;
  /** How the file keeps its rows. Defaults to `auto`: told from its first bytes and its ending. Gzip is always recognised. */
  container?: Container | 'auto';
  /** What to do with a malformed row (invalid JSON, a missing key, a wrong type): `throw` (the default) or `skip`, which lists it in the report. */
  onBad?: 'throw' | 'skip';
  /** Throw when more than this share of the rows is skipped. Defaults to 0.5; a file without one usable row always throws. */
  maxSkipped?: number;
  /** Stop after this many usable rows. */
  limit?: number;
  /** Stops the reading with `Interrupted`. */
  signal?: AbortSignal;
  /**
   * Refuse to read more bytes than this from a gzipped file (unpacked) or a URL, and to unpack a Parquet page beyond it.
   * Defaults to 8 GiB. Plain files are not limited.
   */
  maxBytes?: number;
  /** Give up on a URL that sends nothing for so many seconds. Defaults to 60. */
  timeout?: number;
  /** What is one row of plain text. Defaults to `auto`: paragraphs if the text has blank lines near its beginning, else lines. */
  textBy?: 'auto' | 'line' | 'paragraph' | 'whole';
  /** What separates the cells of a CSV file. Defaults to the one of `,` `;` tab `|` that its first line has most of. */
  delimiter?: string;
  /** SuperNI task files: how an instance becomes a row. */
  superni?: SuperNIOptions;
  /** OASST message trees: which conversations of a tree become rows. Defaults to `best`, the best-ranked reply at each step. */
  oasst?: { paths?: 'all' | 'best' };
}

export interface SuperNIOptions {
  /** So many of the task's positive examples are put into the instruction. Defaults to 0. */
  positive?: number;
  /** So many of its negative examples. Defaults to 0. */
  negative?: number;
  /** Give the examples' explanations too. Defaults to false. */
  explanations?: boolean;
  /** At most so many instances of a task. Defaults to all. */
  instances?: number;
}
