import { readFileSync } from 'node:fs';
import { isFileError, nearest, TunebookError } from '../base/core/index.js';

interface Command {
  summary: string;
  run(args: string[]): Promise<number>;
}

// Each command is loaded when it is called: `tunebook --version` must not wait for a backend.
const COMMANDS: Record<string, Command> = {
  doctor: {
    summary: 'what works on this machine, what does not, and what to do about it',
    run: async args => (await import('./doctor.js')).doctor(args),
  },
  backend: {
    summary: 'install a backend: backend install native | cuda',
    run: async args => (await import('./backend.js')).backendCommand(args),
  },
  kernel: {
    summary: 'install the Jupyter kernel: kernel install --python PYTHON',
    run: async args => (await import('./kernel.js')).kernelCommand(args),
  },
  run: {
    summary: 'execute a notebook headless and say what it learned: run NOTEBOOK.ipynb [--data FILE]',
    run: async args => (await import('./run.js')).runCommand(args),
  },
  runs: {
    summary: 'list, show, compare and repeat recorded runs: runs [DIR] | show RUN | diff RUN RUN | again RUN',
    run: async args => (await import('./runs.js')).runsCommand(args),
  },
  sweep: {
    summary: 'many trials of one module, here or on Slurm, resumable: sweep FILE [--status | --table | --csv FILE …]',
    run: async args => (await import('./sweep.js')).sweepCommand(args),
  },
  export: {
    summary: 'one HTML file of an executed notebook, with its charts alive, that works offline: export NOTEBOOK.ipynb',
    run: async args => (await import('./export.js')).exportCommand(args),
  },
  inspect: {
    summary: 'show how instructions are rendered, tokenised and masked: inspect FILE',
    run: async args => (await import('./inspect.js')).inspectCommand(args),
  },
};

const version = (): string => JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version as string;

function help(): string {
  const width = Math.max(...Object.keys(COMMANDS).map(name => name.length));
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    `tunebook ${version()}: instruction tuning in TypeScript notebooks`,
    '',
    'tunebook COMMAND [options]',
    ...lines,
    `  ${'help'.padEnd(width)}  this text; "tunebook COMMAND --help" says more about one`,
    '',
    'Exit codes: 0 done, 1 failed, 2 an argument or a file cannot be used, 3 this machine lacks something, 130 stopped.',
    '',
  ].join('\n');
}

/** Run the command line `args` (without node and script); returns the exit code. Errors of tunebook become one paragraph on stderr. */
export async function dispatch(args: string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    const about = name === 'help' ? rest[0] : undefined;
    if (about !== undefined && Object.hasOwn(COMMANDS, about)) return dispatch([about, '--help']);
    process.stdout.write(help());
    return 0;
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) {
    const close = nearest(name, Object.keys(COMMANDS));
    const hint = close ? `did you mean "tunebook ${close}"?` : 'run "tunebook help" for the list.';
    process.stderr.write(
      `tunebook has no command "${name}". Expected one of ${Object.keys(COMMANDS).join(', ')}. Fix: ${hint}\n`,
    );
    return 2;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    if (error instanceof TunebookError) {
      process.stderr.write(`${error.message}\n`);
      return error.exitCode;
    }
    if (!isFileError(error)) throw error;
    process.stderr.write(`A file cannot be read or written: ${error.message}.\n`);
    return 1;
  }
}
