import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { followProgress, RunView } from './run-view.js';

/** What `setup/run_notebook.py` says of a failure. */
export interface RunError {
  kind: 'cell' | 'timeout' | 'dead' | 'start' | 'setup';
  /** Number among the code cells, from 1; 0 when no cell was running. */
  cell: number;
  source: string;
  name: string;
  message: string;
  traceback: string[];
}

export interface Outcome {
  code: number;
  error?: RunError;
}

interface Execution {
  python: string;
  script: string;
  notebook: string;
  output: string;
  timeout: number;
  /** A folder that is deleted afterwards: Jupyter's own files and the progress file go there. */
  scratch: string;
  env: Record<string, string>;
}

type Event =
  | { event: 'start'; total: number; kernel: string }
  | { event: 'cell'; cell: number; total: number; title: string }
  | { event: 'done'; cell: number; seconds: number }
  | ({ event: 'error' } & RunError)
  | { event: 'end'; ok: boolean };

/** Execute a notebook in a Jupyter of `python`, drawing a bar for cells and one for the work inside a cell. */
export async function execute({ python, script, notebook, output, timeout, scratch, env }: Execution): Promise<Outcome> {
  const progressFile = join(scratch, 'progress.jsonl');
  const jupyter = (...parts: string[]) => join(scratch, 'jupyter', ...parts);
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    ...env,
    TUNEBOOK_PROGRESS: progressFile,
    JUPYTER_CONFIG_DIR: jupyter('config'),
    JUPYTER_DATA_DIR: jupyter('data'),
    JUPYTER_RUNTIME_DIR: jupyter('runtime'),
    IPYTHONDIR: jupyter('ipython'),
    // What a notebook runs is not what its user typed.
    TUNEBOOK_HISTORY: 'off',
    JUPYTER_PREFER_ENV_PATH: '1',
  };
  const child = spawn(python, [script, notebook, output, String(timeout)], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const view = new RunView();
  const unfollow = followProgress(progressFile, event => view.inner(event));
  const warnings: string[] = [];
  let error: RunError | undefined;

  const onEvent = (event: Event) => {
    if (event.event === 'start') view.start(event.total, event.kernel);
    else if (event.event === 'cell') view.cell(event.cell, event.total, event.title);
    else if (event.event === 'done') view.done(event.cell, event.seconds);
    else if (event.event === 'error') error = event;
  };
  createInterface({ input: child.stdout }).on('line', line => {
    // Jupyter extensions print too; our events are the lines that are JSON objects.
    if (line.startsWith('{')) onEvent(JSON.parse(line));
  });
  createInterface({ input: child.stderr }).on('line', line => warnings.push(line));

  // A terminal sends Ctrl-C to the runner too; asked twice, or slow to end, it is killed.
  let stopped = false;
  let deadline: NodeJS.Timeout | undefined;
  const stop = (signal: NodeJS.Signals) => {
    if (stopped) child.kill('SIGKILL');
    else if (signal === 'SIGTERM' || !process.stdin.isTTY) child.kill('SIGINT');
    stopped = true;
    deadline ??= setTimeout(() => child.kill('SIGKILL'), 15_000);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    const code = await new Promise<number>(done => {
      child.on('error', cause => {
        error = {
          kind: 'setup',
          cell: 0,
          source: '',
          name: '',
          message: `${python} cannot be started (${cause.message})`,
          traceback: [],
        };
        done(3);
      });
      child.on('close', exit => done(exit ?? 1));
    });
    unfollow();
    view.end(code === 0);
    if (stopped) return { code: 130 };
    if (code !== 0 && !error) process.stderr.write(`${warnings.slice(-15).join('\n')}\n`);
    return { code, error };
  } finally {
    clearTimeout(deadline);
    unfollow();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
