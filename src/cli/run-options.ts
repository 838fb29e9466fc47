import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BadInput, nearest, quote } from '../base/core/index.js';
import { readArguments } from './arguments.js';

export const RUN_HELP: string = `tunebook run NOTEBOOK.ipynb [options]   execute a notebook by Jupyter, headless, and say what it learned

  --data FILE      Alpaca-format JSON or JSONL for the notebook to use (TUNEBOOK_DATA); checked before it starts
  --backend NAME   auto (default), cuda, native, webgpu, wasm or cpu (TUNEBOOK_BACKEND)
  --steps N        training steps (TUNEBOOK_STEPS)
  --timeout S      seconds one cell may take, 0 for no limit (default 3600)
  --out DIR        where the executed notebook and its page go (default runs/<name>-<time>)
  --python FILE    Python that has Jupyter and the kernel (default: tunebook's .venv, else python3)
`;

const BACKENDS: readonly string[] = ['auto', 'cuda', 'native', 'webgpu', 'wasm', 'cpu'];
const OPTIONS = ['data', 'backend', 'steps', 'timeout', 'out', 'python'] as const;

/** What `tunebook run` was asked to do; paths are absolute. */
export interface RunOptions {
  notebook: string;
  data?: string;
  backend?: string;
  steps?: number;
  timeout: number;
  out: string;
  python: string;
}

/** Read the arguments; undefined when help was asked for. Throws BadInput. */
export function readOptions(args: string[]): RunOptions | undefined {
  const { values, positionals } = readArguments('run', args, { values: OPTIONS });
  if (values.help) return undefined;
  const [notebook, ...more] = positionals;
  if (!notebook || more.length > 0) {
    throw new BadInput({
      problem: notebook ? 'one notebook at a time' : 'no notebook was named',
      expected: 'the path of one .ipynb file',
      found: positionals.length ? positionals.join(' ') : undefined,
      fix: 'tunebook run notebooks/quickstart.ipynb',
    });
  }
  if (values.backend !== undefined && !BACKENDS.includes(values.backend)) {
    const close = nearest(values.backend, BACKENDS);
    throw new BadInput({
      problem: 'there is no such backend',
      where: { key: '--backend' },
      expected: `one of ${BACKENDS.join(', ')}`,
      found: quote(values.backend),
      fix: close ? `did you mean ${close}?` : 'leave the option out: the best one that works is chosen',
    });
  }
  const now = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace(/:/g, '-');
  const name = basename(notebook, '.ipynb');
  let out = resolve(values.out ?? join('runs', `${name}-${now}`));
  if (!values.out && existsSync(out)) out += `-${randomBytes(2).toString('hex')}`;
  return {
    notebook: resolve(notebook),
    data: values.data === undefined ? undefined : resolve(values.data),
    backend: values.backend,
    steps: values.steps === undefined ? undefined : wholeNumber('--steps', values.steps, 1),
    timeout: values.timeout === undefined ? 3600 : wholeNumber('--timeout', values.timeout, 0),
    out,
    python: values.python ?? defaultPython(),
  };
}

function wholeNumber(key: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && Number.isSafeInteger(value)) return value;
  throw new BadInput({
    problem: 'not a number that can be used',
    where: { key },
    expected: `a whole number ≥ ${least}`,
    found: quote(text),
    fix: `write ${key} 200`,
  });
}

function defaultPython(): string {
  const venv = process.platform === 'win32' ? '../../.venv/Scripts/python.exe' : '../../.venv/bin/python';
  const ours = fileURLToPath(new URL(venv, import.meta.url));
  return existsSync(ours) ? ours : (process.env.TUNEBOOK_PYTHON ?? 'python3');
}
