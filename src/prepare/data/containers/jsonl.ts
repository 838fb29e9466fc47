import { quote } from '../../../base/core/index.js';
import type { Raw } from '../collect.js';
import { locateJsonFault } from '../json.js';
import { splitLines } from '../lines.js';
import type { ContainerReader } from './container.js';

/** JSON Lines: one value a line; blank lines are passed over. */
export const jsonl: ContainerReader = {
  name: 'jsonl',
  async *read({ name, chunks }) {
    for await (const lines of splitLines(chunks, name)) {
      const raws: Raw[] = [];
      for (const { text, number } of lines) if (text.trim() !== '') raws.push(parseLine(text, number, name));
      yield raws;
    }
  },
};

export function parseLine(text: string, line: number, file: string): Raw {
  try {
    return { value: JSON.parse(text), line };
  } catch (error) {
    const fault = locateJsonFault(text);
    return {
      bad: {
        problem: `invalid JSON${fault ? ` at column ${fault.column}` : ''}`,
        expected: fault?.expected ?? 'one JSON object on the line',
        found: fault?.found ?? String(error),
        fix: `correct line ${line} of ${file}; it begins ${quote(text.trim(), 60)}`,
      },
      line,
    };
  }
}
