import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt, root } from '../helpers/built.js';

/** A step of tests/kernel/drive.py. */
export interface Step {
  code?: string;
  burst?: string[];
  /** Texts for what the cell asks; without them the front end takes no input. */
  answers?: string[];
  /** No answer is given before this text stands in a stream of the cell. */
  answer_on?: string;
  interrupt_on_input?: boolean;
  /** Sent when `during_on` stands in a stream of the running cell. */
  during?: { message: string; content: object };
  during_on?: string;
  request?: string;
  /** A message without a reply. */
  message?: string;
  content?: object;
  buffers?: string[];
  channel?: 'shell' | 'control';
  restart?: boolean;
  interrupt_on?: string;
  interrupt_on_busy?: boolean;
  /** How many; 1. */
  interrupts?: number;
  timeout?: number;
  silent?: boolean;
  store_history?: boolean;
  stop_on_error?: boolean;
  user_expressions?: Record<string, string>;
  /** File (of the test) that is written when the kernel has taken the interrupts. */
  mark?: string;
  /** Text that a stream or a shown text/plain contains, waited for as long as `timeout`. */
  wait_for?: string;
}

/** A message on iopub. */
export interface Output {
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: contents differ by type, tests name what they expect
  content: any;
  /** Binary parts, as text. */
  buffers?: string[];
  /** Of `others` and `late`: number of the step that made it. */
  step?: number | null;
}

/** What came of a step. */
export interface Done {
  // biome-ignore lint/suspicious/noExplicitAny: as above
  reply?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  replies?: Record<string, any>;
  /** What it put out itself, until it was over. */
  outputs: Output[];
  /** What earlier steps put out meanwhile. */
  others?: Output[];
  /** What came while `wait_for` was waited for. */
  late?: Output[];
  states: string[];
  interrupt_seconds?: number | null;
  /** Contents of the input_requests. */
  asked?: { prompt: string; password: boolean }[];
  /** It was not over in time. */
  timeout?: boolean;
}

/** Timeout of a test that starts kernels, ms: generous, since many processes share a small machine. */
export const PATIENCE = 600_000;
export const python: string = join(root, '.venv', 'bin', 'python');
/** Why tests through jupyter_client cannot run here; undefined where they can. */
export const noJupyter: string | undefined = existsSync(python) ? undefined : 'no .venv with Jupyter: run `npm run setup`';

/** Run a Python script of this folder with kernelspecs of this build installed in a folder of its own. */
export async function runPython(script: string, input: string, more: NodeJS.ProcessEnv = {}): Promise<string> {
  await ensureBuilt();
  const { installKernelspec, installTslabKernelspec } = await import(join(root, 'dist', 'kernel', 'install.js'));
  const prefix = mkdtempSync(join(tmpdir(), 'tunebook-kernels-'));
  try {
    await installKernelspec({ prefix });
    await installTslabKernelspec({ prefix });
    return await new Promise((resolve, reject) => {
      const env = {
        ...process.env,
        JUPYTER_PATH: join(prefix, 'share', 'jupyter'),
        IPYTHONDIR: prefix,
        JUPYTER_RUNTIME_DIR: prefix,
        TUNEBOOK_HISTORY: join(prefix, 'history.jsonl'),
        ...more,
      };
      const child = spawn(python, [join(root, 'tests', 'kernel', script)], { env });
      let out = '';
      let err = '';
      child.stdout.on('data', chunk => (out += chunk));
      child.stderr.on('data', chunk => (err += chunk));
      child.on('error', reject);
      child.on('close', code => (code === 0 ? resolve(out) : reject(new Error(`${script} ended with ${code}:\n${err}`))));
      child.stdin.end(input);
    });
  } finally {
    rmSync(prefix, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Run steps on one new kernel through jupyter_client; one result per step. Throws where one is not over in time. */
export async function drive(
  steps: Step[],
  options: { cwd?: string; kernel?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Done[]> {
  const plan = { kernel: options.kernel ?? 'tunebook', cwd: options.cwd ?? join(root, 'tests'), steps };
  const report = JSON.parse(await runPython('drive.py', JSON.stringify(plan), options.env)) as { alive: boolean; steps: Done[] };
  if (report.steps.at(-1)?.timeout) {
    const { code, burst, request, message } = steps[report.steps.length - 1]!;
    const seen = JSON.stringify(report.steps.at(-1)).slice(0, 2000);
    throw new Error(`This step was not over in time: ${code ?? burst ?? request ?? message}\nWhat came of it: ${seen}`);
  }
  if (!report.alive) throw new Error('the kernel was dead at the end');
  return report.steps;
}

/** {@link drive} for steps that have names: what came of each, by its name. */
export async function driveAll<Name extends string>(
  steps: Record<Name, Step>,
  options?: Parameters<typeof drive>[1],
): Promise<Record<Name, Done>> {
  const results = await drive(Object.values(steps), options);
  return Object.fromEntries(Object.keys(steps).map((name, i) => [name, results[i]])) as Record<Name, Done>;
}

/**
 * For a burst whose first cell must run until the front end has sent the others: `wait` in that cell, `open` in the step. Comms are
 * heard while a cell runs, and this one's message comes after the cells.
 */
export const GATED: { wait: string; open: Partial<Step> } = {
  wait: `const gate = (globalThis as any)[Symbol.for('tunebook.host')].comm('gate', {}, { id: 'gate' });
console.log('gated'); await new Promise(open => gate.onMessage(open)); gate.close();`,
  open: { during: { message: 'comm_msg', content: { comm_id: 'gate', data: {} } }, during_on: 'gated' },
};

/** All that was put out from the step's start to its end, or to what it waited for: on a busy machine the end comes sooner or later. */
export const everything = ({ outputs, others = [], late = [] }: Done): Output[] => [...outputs, ...others, ...late];

/** Texts of one stream, joined. */
export function stream(done: Done, name = 'stdout', from: Output[] = done.outputs): string {
  return from
    .filter(({ type, content }) => type === 'stream' && content.name === name)
    .map(({ content }) => content.text)
    .join('');
}

/** text/plain of the result. */
export function result(done: Done): string | undefined {
  return done.outputs.find(({ type }) => type === 'execute_result')?.content.data['text/plain'];
}

/** The error's traceback without colours. */
export function trace(done: Done): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ANSI colours begin with one
  return (done.reply.traceback as string[]).join('\n').replace(/\u001b\[[\d;]+m/g, '');
}
