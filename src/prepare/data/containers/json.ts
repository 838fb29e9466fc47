import { BadInput } from '../../../base/core/index.js';
import type { Raw } from '../collect.js';
import { elementLines, locateJsonFault } from '../json.js';
import { describe, isObject } from '../layouts/fields.js';
import { detectLayout, LIKE } from '../layouts/index.js';
import { readText } from '../lines.js';
import type { ContainerReader } from './container.js';
import { parseLine } from './jsonl.js';

/** One JSON text: an array of rows, or an object that is a row itself (a SuperNI task file, say). JSONL under this name is read too. */
export const json: ContainerReader = {
  name: 'json',
  async *read({ name, chunks }) {
    const text = await readText(chunks, name);
    if (text.trimStart()[0] === '[') yield readArray(name, text);
    else yield readOther(name, text);
  },
};

function readArray(name: string, text: string): Raw[] {
  let values: unknown[];
  try {
    values = JSON.parse(text) as unknown[];
  } catch (error) {
    throw syntaxError(name, text, error);
  }
  const lines = elementLines(text);
  return values.map((value, i) => ({ value, line: lines[i] }));
}

/** What begins with `{`: JSONL by another name, one row, or an object where an array is expected. */
function readOther(name: string, text: string): Raw[] {
  if (text.trim() === '') return [];
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch (error) {
    const lines = text.split('\n');
    const firstLine = lines.find(line => line.trim() !== '')!;
    // Several values: JSONL if its first line is a value of its own, otherwise a broken JSON text.
    if (locateJsonFault(firstLine)) throw syntaxError(name, text, error);
    return lines.flatMap((line, i) => (line.trim() === '' ? [] : [parseLine(line, i + 1, name)]));
  }
  if (detectLayout(whole) === undefined) {
    const arrays = isObject(whole)
      ? Object.keys(whole).filter(key => Array.isArray((whole as Record<string, unknown>)[key]))
      : [];
    throw new BadInput({
      problem: 'the top level is not an array of rows',
      where: { file: name, line: 1 },
      expected: `an array [ … ] of rows like ${LIKE}`,
      found: describe(whole),
      fix: arrays.length ? `pass the array alone, for example jq .${arrays[0]} FILE > rows.json` : 'wrap the rows in [ and ]',
    });
  }
  return [{ value: whole, line: text.slice(0, text.indexOf('{')).split('\n').length }];
}

function syntaxError(name: string, text: string, error: unknown): BadInput {
  const fault = locateJsonFault(text);
  return new BadInput({
    problem: fault ? `invalid JSON at line ${fault.line}, column ${fault.column}` : 'invalid JSON',
    where: { file: name, line: fault?.line },
    expected: fault?.expected ?? 'a JSON array of rows',
    found: fault?.found ?? String(error),
    fix: fault ? `correct line ${fault.line}` : 'check the file with a JSON linter',
    cause: error,
  });
}
