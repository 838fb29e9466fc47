// npm start: set this clone up, then run the quickstart notebook through Jupyter and say what it learned.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { inRoot, ROOT } from './paths.mjs';
import { setUp, withMessages } from './setup.mjs';

const HELP = `npm start [-- options]   set up what is missing, then run notebooks/quickstart.ipynb and say what it learned

  --data FILE      train on your own Alpaca-format JSON or JSONL ({"instruction", "input"?, "output"}) instead of the generated tasks
  --backend NAME   auto (default), cuda, native, webgpu, wasm or cpu
  --steps N        training steps (default: the notebook's)
  --help           this text

Results go to runs/quickstart-<time>/. Set-up writes to node_modules, dist, .venv and .cache of this folder, and TensorFlow's library to a
cache of your user. Exit codes: 0 done, 1 a cell failed, 2 an option or the data cannot be used, 3 set-up failed, 130 stopped.
`;

await withMessages(async () => {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(HELP);
    return 0;
  }
  // npm starts scripts in the package's folder; a file named by the user is meant from where the user is.
  const from = process.env.INIT_CWD ?? process.cwd();
  const named = args.findIndex(arg => arg === '--data' || arg.startsWith('--data='));
  if (named >= 0) {
    const inline = args[named].includes('=');
    const file = inline ? args[named].slice('--data='.length) : args[named + 1];
    if (file && !existsSync(resolve(from, file))) {
      console.error(
        `${file}: No such file. Expected an Alpaca-format JSON or JSONL file. Fix: check the path given to --data (it is read from ${from}).`,
      );
      return 2;
    }
    if (file) args.splice(named, inline ? 1 : 2, '--data', resolve(from, file));
  }
  console.log('tunebook: set-up');
  await setUp();
  process.chdir(ROOT);
  const { dispatch } = await import(new URL('../dist/cli/commands.js', import.meta.url).href);
  return dispatch(['run', inRoot('notebooks', 'quickstart.ipynb'), ...args]);
});
