/** Where and why a text is not JSON: position in UTF-16 units, line and column from 1. */
export interface JsonFault {
  position: number;
  line: number;
  column: number;
  expected: string;
  found: string;
}

/**
 * Find the first fault of a text that JSON.parse refused. Engines word this differently and often leave the position out,
 * so the grammar (RFC 8259) is walked here; it runs only after a failure, so it is written for exactness and not for speed.
 */
export function locateJsonFault(text: string): JsonFault | undefined {
  const fault = new Walker(text).walk();
  if (!fault) return undefined;
  const before = text.slice(0, fault.position);
  const newline = before.lastIndexOf('\n');
  let line = 1;
  for (let i = before.indexOf('\n'); i >= 0; i = before.indexOf('\n', i + 1)) line++;
  return { ...fault, line, column: fault.position - newline };
}

interface Fault {
  position: number;
  expected: string;
  found: string;
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /[A-Za-z_$][\w$]*|-Infinity/y;
// A run of plain characters, or one escape.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON forbids inside strings
const STRING_PART = /[^"\\\u0000-\u001f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

class Walker {
  #at = 0;
  constructor(private readonly text: string) {}

  walk(): Fault | undefined {
    // An explicit stack: hostile nesting must not overflow ours.
    const open: ('{' | '[')[] = [];
    let fault: Fault | undefined;
    for (;;) {
      // One value begins here.
      this.#match(SPACE);
      const c = this.text[this.#at];
      if (c === '{' || c === '[') {
        this.#at++;
        this.#match(SPACE);
        const close = c === '{' ? '}' : ']';
        if (this.text[this.#at] === close) {
          this.#at++;
        } else {
          open.push(c);
          if (c === '{') {
            fault = this.#key();
            if (fault) return fault;
          }
          continue;
        }
      } else {
        fault = this.#scalar(c, open);
        if (fault) return fault;
      }
      // The value has ended: close what it ends, or step to the next.
      for (;;) {
        this.#match(SPACE);
        const next = this.text[this.#at];
        const top = open.at(-1);
        if (top === undefined) return next === undefined ? undefined : this.#fault('the end of the text after one JSON value');
        if (next === (top === '{' ? '}' : ']')) {
          this.#at++;
          open.pop();
          continue;
        }
        if (next !== ',') return this.#fault(top === '{' ? '"," or "}" after a value' : '"," or "]" after a value');
        this.#at++;
        if (top === '{') {
          fault = this.#key();
          if (fault) return fault;
        }
        break;
      }
    }
  }

  #key(): Fault | undefined {
    this.#match(SPACE);
    if (this.text[this.#at] !== '"') return this.#fault('a key in double quotes');
    const fault = this.#string();
    if (fault) return fault;
    this.#match(SPACE);
    if (this.text[this.#at] !== ':') return this.#fault('":" after the key');
    this.#at++;
    return undefined;
  }

  #scalar(c: string | undefined, open: readonly string[]): Fault | undefined {
    if (c === '"') return this.#string();
    const start = this.#at;
    const word = this.#match(WORD);
    if (word === 'true' || word === 'false' || word === 'null') return undefined;
    this.#at = start;
    if (word === 'NaN' || word === 'Infinity' || word === '-Infinity') {
      return {
        position: start,
        expected: 'a JSON value (write null instead)',
        found: `${word}, which Python writes but JSON does not have`,
      };
    }
    if (word) return this.#fault('a value (text needs double quotes)', word);
    if (this.#match(NUMBER)) return undefined;
    if (open.at(-1) === '[' && c === ']') return this.#fault('a value after ","');
    return this.#fault('a value');
  }

  #string(): Fault | undefined {
    const start = this.#at++;
    while (this.#match(STRING_PART));
    const c = this.text[this.#at];
    if (c === '"') {
      this.#at++;
      return undefined;
    }
    if (c === undefined) return { position: start, expected: 'a closing double quote', found: 'the end of the text' };
    if (c === '\\') return this.#fault('a valid escape such as \\n or \\u00e9', this.text.slice(this.#at, this.#at + 2));
    if (c === '\n' || c === '\r')
      return {
        position: start,
        expected: 'a closing double quote on the same line',
        found: 'a line break inside the text (write \\n)',
      };
    return this.#fault('no control characters inside a text', `U+${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #fault(expected: string, found?: string): Fault {
    const here = this.text[this.#at];
    return {
      position: this.#at,
      expected,
      found: found ?? (here === undefined ? 'the end of the text' : here === '\u0000' ? 'a NUL byte' : JSON.stringify(here)),
    };
  }
}

/**
 * Lines (from 1) on which the elements of a JSON array begin. `text` must be valid JSON whose top level is an array;
 * the scan knows strings and nesting only.
 */
export function elementLines(text: string): number[] {
  const lines: number[] = [];
  let line = 1;
  let depth = 0;
  let fresh = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 10) line++;
    else if (c === 32 || c === 9 || c === 13 || c === 0xfeff) continue;
    else {
      if (fresh && depth === 1 && c !== 93) lines.push(line);
      fresh = false;
      if (c === 34) {
        // Jump to the closing quote; a raw newline cannot stand inside.
        for (i++; text.charCodeAt(i) !== 34; i++) if (text.charCodeAt(i) === 92) i++;
      } else if (c === 91 || c === 123) {
        depth++;
        fresh = depth === 1;
      } else if (c === 93 || c === 125) depth--;
      else if (c === 44) fresh = depth === 1;
    }
  }
  return lines;
}
