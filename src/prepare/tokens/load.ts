import { BadInput } from '../../base/core/index.js';
import type { TokenizerConfig } from './tokenizer.js';

/** Read tokenizer.json (or the directory that holds it) and the configuration files beside it. */
export async function readTokenizerFiles(path: string): Promise<{ json: object; config: TokenizerConfig; file: string }> {
  // Imported here, so that this room loads in a browser page.
  const { stat } = await import('node:fs/promises');
  const { dirname, join } = await import('node:path');
  let file = path;
  try {
    if ((await stat(path)).isDirectory()) file = join(path, 'tokenizer.json');
  } catch (error) {
    throw missing(path, error);
  }
  const json = await readJson(file, true);
  const beside = (name: string) => readJson(join(dirname(file), name), false) as Promise<TokenizerConfig | undefined>;
  const generation = await beside('generation_config.json');
  const eos = generation?.eos_token_id as number | number[] | undefined | null;
  const config: TokenizerConfig = { ...(await beside('special_tokens_map.json')), ...(await beside('tokenizer_config.json')) };
  const ids = (Array.isArray(eos) ? eos : [eos]).filter(id => typeof id === 'number');
  if (ids.length > 0) config.generation_eos_ids = ids;
  return { json: json!, config, file };
}

async function readJson(file: string, needed: boolean): Promise<object | undefined> {
  const { readFile } = await import('node:fs/promises');
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (!needed && (error as { code?: string }).code === 'ENOENT') return undefined;
    throw missing(file, error);
  }
  const fail = (found: string, cause?: unknown): BadInput =>
    new BadInput({
      problem: needed ? 'this is not a Hugging Face tokenizer.json' : 'the file is not JSON',
      where: { file },
      expected: 'a JSON object',
      found,
      fix: needed
        ? "save one with Python: AutoTokenizer.from_pretrained('…', use_fast=True).save_pretrained(dir), or train one with tokens.trainBPE"
        : 'correct or remove the file',
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    if (bytes.length === 0) throw fail('an empty file');
    if (/\.model$/.test(file)) throw fail('a SentencePiece model (convert it: transformers writes a tokenizer.json)');
    throw fail(
      error instanceof SyntaxError ? `text that is not JSON (${error.message.slice(0, 120)})` : 'bytes that are not UTF-8 text',
      error,
    );
  }
  if (typeof value !== 'object' || value === null) throw fail(`a JSON ${typeof value}`);
  return value;
}

function missing(file: string, error: unknown): BadInput {
  const { code } = error as { code?: string };
  const there = code === 'ENOENT' || code === 'ENOTDIR';
  return new BadInput({
    problem: there ? 'there is no such tokenizer file' : `the tokenizer file cannot be read (${code ?? String(error)})`,
    where: { file },
    expected: 'a tokenizer.json, or a directory with one',
    fix: there ? 'check the path' : 'check its permissions',
    cause: error,
  });
}
