import type { Raw } from '../collect.js';
import { readText, splitLines } from '../lines.js';
import type { ContainerReader } from './container.js';

/** Plain text: each paragraph, each line or the whole file is one row {text}. Text before a blank line is a paragraph. */
export const text: ContainerReader = {
  name: 'text',
  async *read({ name, chunks, head }, options) {
    const by = options.textBy ?? 'auto';
    if (by === 'whole') {
      yield [{ value: { text: await readText(chunks, name) }, line: 1 }];
      return;
    }
    // A blank line not far from the beginning says that blank lines separate.
    const paragraphs = by === 'paragraph' || (by === 'auto' && /\n\r?\n/.test(new TextDecoder().decode(head)));
    let held: string[] = [];
    let from = 0;
    for await (const lines of splitLines(chunks, name)) {
      const raws: Raw[] = [];
      for (const line of lines) {
        const blank = line.text.trim() === '';
        if (!blank) {
          if (held.length === 0) from = line.number;
          held.push(line.text);
        }
        if (held.length > 0 && (blank || !paragraphs)) {
          raws.push({ value: { text: held.join('\n') }, line: from });
          held = [];
        }
      }
      yield raws;
    }
    if (held.length > 0) yield [{ value: { text: held.join('\n') }, line: from }];
  },
};
