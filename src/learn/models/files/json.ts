import { readFile, stat } from 'node:fs/promises';
import { BadInput, quote } from '../../../base/core/index.js';

/** Configurations are small; the index of a model with a hundred thousand weights has 10 MB. */
const MAX_JSON = 64_000_000;

/** A file with one JSON object. Throws BadInput naming the file. */
export async function readJson(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    const found = await stat(path);
    const { size } = found;
    if (!found.isFile()) throw new BadInput({ problem: 'This is not a file', where: { file: path } });
    if (size > MAX_JSON)
      throw new BadInput({
        problem: 'This file is too large for a configuration',
        where: { file: path },
        expected: `at most ${MAX_JSON} bytes`,
        found: `${size}`,
      });
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof BadInput) throw cause;
    throw new BadInput({
      problem: `The file cannot be read (${(cause as NodeJS.ErrnoException).code})`,
      where: { file: path },
      fix: 'give the directory of a model: config.json, model.safetensors',
      cause,
    });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw new BadInput({
      problem: `The file is not JSON (${(cause as Error).message.slice(0, 120)})`,
      where: { file: path },
      cause,
    });
  }
  throw new BadInput({ problem: 'The file is not a JSON object', where: { file: path }, found: quote(text, 40) });
}

/** Whether there is something at this path. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
