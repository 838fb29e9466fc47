/** What turns tokens into text; a `tokens.Tokenizer` is one. */
export interface TextDecoder {
  decode(ids: readonly number[], options?: { skipSpecial?: boolean }): string;
  /** The id of a token by its text. */
  idOf?(token: string): number | undefined;
}

/** The stop strings that are special tokens, e.g. `<|im_end|>`: they are no text of the row, so that only their ids can be found. */
export function stopTokens(decoder: TextDecoder | undefined, stops: readonly string[] = []): number[] {
  const ids = stops.map(stop => decoder?.idOf?.(stop)).filter(id => id !== undefined);
  return ids.filter(id => decoder!.decode([id], { skipSpecial: true }) === '');
}

/**
 * Text of a row token by token. A piece is released when its characters are complete (a character may be spread over
 * several tokens) and when it can no longer be the beginning of a stop string.
 */
export class TextSoFar {
  readonly #decoder: TextDecoder;
  readonly #stops: readonly string[];
  readonly #ids: number[] = [];
  /** Tokens before `#from` are never decoded again; those before `#read` are in `#text`. A decoder may need some before to place spaces. */
  #from = 0;
  #read = 0;
  #text = '';
  #released = 0;
  #stopped = false;

  constructor(decoder: TextDecoder, stops: readonly string[] = []) {
    this.#decoder = decoder;
    this.#stops = stops.filter(stop => stop !== '');
  }

  /** Text so far, without what may still become a character. Ends before the stop string when one was found. */
  get text(): string {
    return this.#text;
  }

  /** Whether a stop string was found. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Take one more token; returns the text that is now certain. */
  push(id: number): string {
    if (this.#stopped) return '';
    this.#ids.push(id);
    const before = this.#decode(this.#from, this.#read);
    const now = this.#decode(this.#from, this.#ids.length);
    // U+FFFD at the end: the bytes of a character are not all here yet.
    if (now.length <= before.length || now.endsWith('\uFFFD')) return '';
    this.#from = this.#read;
    this.#read = this.#ids.length;
    return this.#append(now.slice(before.length));
  }

  /** No more tokens: returns the rest of the text, bytes without a character as U+FFFD. */
  end(): string {
    const first = this.#released;
    if (!this.#stopped && this.#read < this.#ids.length) {
      const before = this.#decode(this.#from, this.#read);
      const rest = this.#decode(this.#from, this.#ids.length).slice(before.length);
      this.#read = this.#ids.length;
      this.#append(rest);
    }
    this.#released = this.#text.length;
    return this.#text.slice(first);
  }

  #decode(from: number, to: number): string {
    return this.#decoder.decode(this.#ids.slice(from, to), { skipSpecial: true });
  }

  #append(piece: string): string {
    // A stop string may have begun before this piece.
    const longest = this.#stops.reduce((most, stop) => Math.max(most, stop.length), 0);
    const from = Math.max(0, this.#text.length - longest + 1);
    this.#text += piece;
    const found = this.#stops.map(stop => this.#text.indexOf(stop, from)).filter(at => at >= 0);
    if (found.length > 0) {
      this.#text = this.#text.slice(0, Math.min(...found));
      this.#stopped = true;
    }
    const certain = this.#stopped ? this.#text.length : this.#text.length - this.#undecided();
    const released = this.#text.slice(this.#released, certain);
    this.#released = Math.max(this.#released, certain);
    return released;
  }

  /** Characters at the end that a stop string could begin with. */
  #undecided(): number {
    let most = 0;
    for (const stop of this.#stops)
      for (let length = Math.min(stop.length - 1, this.#text.length); length > most; length--)
        if (this.#text.endsWith(stop.slice(0, length))) most = length;
    return most;
  }
}
