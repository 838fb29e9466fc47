import { BadInput, quote } from '../../../base/core/index.js';
import { fromByteAlphabet } from '../bytes.js';
import { type Component, flattenComponent } from '../hf.js';
import { patternOf } from './regex.js';

/** Pieces of a vocabulary to pieces of text; joined they are the text. */
export type Decoder = (tokens: string[]) => string[];

/** The decoder of a tokenizer.json. Without one tokens are joined by spaces. */
export function decoderOf(component: Component | null): (tokens: string[]) => string {
  if (!component) return tokens => tokens.join(' ');
  const steps = flattenComponent(component).map(make);
  return tokens => steps.reduce((out, step) => step(out), tokens).join('');
}

function make(component: Component): Decoder {
  switch (component.type) {
    case 'ByteLevel':
      return byteLevel;
    case 'ByteFallback':
      return byteFallback;
    case 'Fuse':
      return tokens => [tokens.join('')];
    case 'Metaspace':
      return metaspace(component);
    case 'Replace': {
      const pattern = patternOf(component.pattern);
      const content = String(component.content ?? '');
      return tokens => tokens.map(token => token.replaceAll(pattern, () => content));
    }
    case 'Strip':
      return strip(String(component.content ?? ' '), Number(component.start ?? 0), Number(component.stop ?? 0));
    case 'WordPiece':
      return wordPiece(String(component.prefix ?? '##'), component.cleanup !== false);
    case 'BPEDecoder': {
      const suffix = String(component.suffix ?? '</w>');
      return tokens => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' '));
    }
    case 'CTC':
      return ctc(component);
    default:
      throw new BadInput({
        problem: `the decoder ${quote(component.type)} is not known`,
        expected: 'one of those of Hugging Face’s tokenizers 0.23',
        fix: 'check the file with Python: tokenizers.Tokenizer.from_file(…)',
      });
  }
}

const encoder = new TextEncoder();

/** Tokens as bytes, those outside the byte alphabet as they are; bytes that make no character become U+FFFD. */
const byteLevel: Decoder = tokens => {
  const parts = tokens.map(token => fromByteAlphabet(token) ?? encoder.encode(token));
  return [decodeBytes(parts)];
};

export function decodeBytes(parts: readonly Uint8Array[]): string {
  const bytes = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

/** Runs of `<0xE2>` as text; a run that is no UTF-8 becomes one U+FFFD a byte. */
const byteFallback: Decoder = tokens => {
  const out: string[] = [];
  let run: number[] = [];
  const flush = () => {
    if (run.length === 0) return;
    try {
      out.push(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(run)));
    } catch {
      out.push(...run.map(() => '\ufffd'));
    }
    run = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
    if (byte) run.push(Number.parseInt(byte[1]!, 16));
    else {
      flush();
      out.push(token);
    }
  }
  flush();
  return out;
};

function metaspace(component: Component): Decoder {
  const marker = String(component.replacement ?? '\u2581');
  const bare = component.add_prefix_space === false || String(component.prepend_scheme ?? 'always').toLowerCase() === 'never';
  return tokens => tokens.map((token, i) => token.replaceAll(marker, i === 0 && !bare ? '' : ' '));
}

function strip(content: string, start: number, stop: number): Decoder {
  return tokens =>
    tokens.map(token => {
      const chars = [...token];
      let from = 0;
      while (from < Math.min(start, chars.length) && chars[from] === content) from++;
      let to = chars.length;
      while (to > 0 && chars.length - to < stop && chars[to - 1] === content) to--;
      return chars.slice(from, Math.max(from, to)).join('');
    });
}

const CLEAN: readonly [string, string][] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [' do not', " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/** No space before punctuation and contractions, as Hugging Face's `cleanup`. */
export function cleanUp(text: string, contract = true): string {
  return CLEAN.reduce((out, [from, to]) => (contract || from !== ' do not' ? out.replaceAll(from, to) : out), text);
}

function wordPiece(prefix: string, cleanup: boolean): Decoder {
  return tokens =>
    tokens.map((token, i) => {
      const text = i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
      return cleanup ? cleanUp(text) : text;
    });
}

function ctc(component: Component): Decoder {
  const pad = String(component.pad_token ?? '<pad>');
  const delimiter = String(component.word_delimiter_token ?? '|');
  return tokens =>
    tokens
      .filter((token, i) => token !== tokens[i - 1])
      .map(token => {
        const text = token.replaceAll(pad, '');
        return component.cleanup === false ? text : cleanUp(text).replaceAll(delimiter, ' ');
      })
      .filter(text => text !== '');
}
