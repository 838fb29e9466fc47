/** Where a problem was found: shown as `file:line`, then the key. */
export interface Place {
  file?: string;
  line?: number;
  key?: string;
}

/** What a {@link TunebookError} says: the three things that let a reader mend it. */
export interface ErrorParts {
  /** One line: what went wrong. */
  problem: string;
  where?: Place;
  /** What was expected, e.g. `a string in "output"`. */
  expected?: string;
  /** What was there instead, e.g. `a number`. Data in it is cut short and made printable. */
  found?: string;
  /** What to do about it. */
  fix?: string;
  cause?: unknown;
}

/** Base class of every error tunebook throws on purpose. The message is one paragraph: place, problem, expected, found, fix. */
export class TunebookError extends Error {
  readonly parts: ErrorParts;
  /** Exit code of the command line when this error ends it. */
  readonly exitCode: number = 1;

  constructor(parts: ErrorParts) {
    super(paragraph(parts), parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = new.target.name;
    this.parts = parts;
  }
}

/** The user's input (data, file, option, template) cannot be used. Command-line exit code 2. */
export class BadInput extends TunebookError {
  override readonly exitCode: number = 2;
}

/** Something this machine lacks (a backend, a compiler, Jupyter). Command-line exit code 3. */
export class Unavailable extends TunebookError {
  override readonly exitCode: number = 3;
}

/** The work was stopped on request: a cell interrupt, an AbortSignal, `run.stop()`. Command-line exit code 130. */
export class Interrupted extends TunebookError {
  override readonly exitCode: number = 130;
}

function paragraph({ problem, where, expected, found, fix }: ErrorParts): string {
  const place = [where?.file && `${where.file}${where.line ? `:${where.line}` : ''}`, where?.key && `"${where.key}"`]
    .filter(Boolean)
    .join(', ');
  const end = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);
  return [
    end(place ? `${place}: ${problem}` : problem),
    expected && end(`Expected ${expected}${found ? `, found ${found}` : ''}`),
    !expected && found && end(`Found ${found}`),
    fix && end(`Fix: ${fix}`),
  ]
    .filter(Boolean)
    .join(' ');
}

// Controls (also the bidirectional ones) and lone surrogates would garble the line that shows the message.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A value as it may be quoted in a message: one line, printable, at most `limit` characters. */
export function quote(value: unknown, limit = 80): string {
  let text: string;
  try {
    // JSON has no NaN and no infinity, and would call them null.
    const isOdd = typeof value === 'number' && !Number.isFinite(value);
    text = isOdd ? String(value) : (JSON.stringify(value) ?? String(value));
  } catch {
    text = String(value);
  }
  text = text.replace(UNPRINTABLE, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return text.length > limit ? `${text.slice(0, limit)}… (${text.length} characters)` : text;
}
