/**
 * A stretch of text on its way through normalisers and pre-tokenizers, which knows for each of its UTF-16 units where in
 * the original text it came from. While nothing was changed no table is kept: unit `i` came from `[at + i, at + i + 1)`,
 * after `lead` units that were put in front and share the place of the first character.
 */
export class Mapped {
  readonly #first: number;

  constructor(
    readonly text: string,
    readonly at: number,
    readonly starts: readonly number[] | undefined = undefined,
    readonly ends: readonly number[] | undefined = undefined,
    readonly lead = 0,
    /** End of the first character in the original, where `lead` is not 0. */
    first = 0,
  ) {
    this.#first = first;
  }

  /** Where unit `i` came from. */
  start(i: number): number {
    if (this.starts) return this.starts[i]!;
    return i < this.lead ? this.at : this.at + i - this.lead;
  }

  /** Where what unit `i` came from ends. */
  end(i: number): number {
    if (this.ends) return this.ends[i]!;
    return i < this.lead ? this.#first : this.at + i - this.lead + 1;
  }

  slice(from: number, to: number): Mapped {
    const { text, lead, starts, ends } = this;
    if (from === 0 && to === text.length) return this;
    const part = text.slice(from, to);
    if (starts) return new Mapped(part, 0, starts.slice(from, to), ends!.slice(from, to));
    return new Mapped(part, this.at + Math.max(0, from - lead), undefined, undefined, Math.max(0, lead - from), this.#first);
  }

  /** Another text of the same length, unit for unit in the same places. */
  with(text: string): Mapped {
    return new Mapped(text, this.at, this.starts, this.ends, this.lead, this.#first);
  }
}

/** Writes a changed copy of a {@link Mapped} from left to right. */
export class Rewrite {
  #text = '';
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  constructor(readonly from: Mapped) {}

  /** Units `[a, b)` as they are. */
  copy(a: number, b: number): void {
    this.#text += this.from.text.slice(a, b);
    for (let i = a; i < b; i++) {
      this.#starts.push(this.from.start(i));
      this.#ends.push(this.from.end(i));
    }
  }

  /** `text` in place of the units `[a, b)`, at least one; every unit of it comes from all of them. */
  put(text: string, a: number, b: number): void {
    this.#text += text;
    const start = this.from.start(a);
    const end = this.from.end(b - 1);
    for (let i = 0; i < text.length; i++) {
      this.#starts.push(start);
      this.#ends.push(end);
    }
  }

  done(): Mapped {
    return new Mapped(this.#text, 0, this.#starts, this.#ends);
  }
}

/** Each code point through `change`; undefined when nothing changes anywhere. An empty string removes it. */
export function mapCodePoints(m: Mapped, change: (char: string) => string): Mapped {
  const { text } = m;
  let out: Rewrite | undefined;
  let i = 0;
  for (const char of text) {
    const changed = change(char);
    if (changed !== char && !out) {
      out = new Rewrite(m);
      out.copy(0, i);
    }
    if (out) {
      if (changed === char) out.copy(i, i + char.length);
      else if (changed !== '') out.put(changed, i, i + char.length);
    }
    i += char.length;
  }
  return out ? out.done() : m;
}

/** `text` in front; it takes the place of the first character, as in Hugging Face's offsets. */
export function prepend(m: Mapped, text: string): Mapped {
  const first = String.fromCodePoint(m.text.codePointAt(0)!).length;
  if (!m.starts && m.lead === 0) return new Mapped(text + m.text, m.at, undefined, undefined, text.length, m.at + first);
  const out = new Rewrite(m);
  out.put(text, 0, first);
  out.copy(0, m.text.length);
  return out.done();
}
