import {
  available,
  BACKENDS,
  type BackendName,
  type Installed,
  type InstallOptions,
  installCuda,
  installNative,
  use,
} from '../base/backend/index.js';
import { BadInput, quote, TunebookError } from '../base/core/index.js';
import { statusTable } from './doctor-table.js';

const USAGE = `tunebook backend <command>

  list                     which backends work here, with reasons and remedies (--json)
  use <name>               try a backend: auto, ${BACKENDS.join(', ')}; says how to make it the default
  install native [--force] TensorFlow for the CPU: 274 MB to download, once per user
  install cuda   [--force] TensorFlow for NVIDIA GPUs: 572 MB, and NVIDIA's libraries (2.8 GB) where a driver is loaded
                           (--no-cuda-libs leaves them out, --cuda-libs fetches them in any case)
`;

/** `tunebook backend …`. Returns the exit code; errors are printed as one paragraph. */
export async function backendCommand(args: string[]): Promise<number> {
  try {
    const [command, ...rest] = args;
    if (command === 'list') return await list(rest);
    if (command === 'use') return await tryOut(rest);
    if (command === 'install') return await install(rest);
    if (command === undefined || command === 'help' || command === '--help') {
      process.stdout.write(USAGE);
      return command === undefined ? 2 : 0;
    }
    throw unknown('command', command, 'list, use or install');
  } catch (error) {
    if (!(error instanceof TunebookError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
}

async function list(args: string[]): Promise<number> {
  known(args, ['--json']);
  const json = args.includes('--json');
  const table = await available({ onProbe: name => json || process.stderr.write(`trying ${name} …\n`) });
  process.stdout.write(json ? `${JSON.stringify(table, null, 2)}\n` : statusTable(table));
  return table.some(row => row.works && row.name !== 'cpu') ? 0 : 3;
}

async function tryOut(args: string[]): Promise<number> {
  const [name = 'auto', ...rest] = args;
  known(rest, []);
  const info = await use(name as BackendName | 'auto');
  const lines = [`${info.name} ${info.version ?? ''} works (${info.reason})`, ...info.details.map(line => `  ${line}`)];
  if (name !== 'auto')
    lines.push(
      `To have 'auto' choose it: export TUNEBOOK_BACKEND=${info.name}; in a notebook: await backend.use('${info.name}')`,
    );
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}

async function install(args: string[]): Promise<number> {
  const [name, ...rest] = args;
  const options: InstallOptions = { force: rest.includes('--force'), onStep: line => process.stderr.write(`${line}\n`) };
  let done: Installed;
  if (name === 'native') {
    known(rest, ['--force']);
    done = await installNative(options);
  } else if (name === 'cuda') {
    known(rest, ['--force', '--no-cuda-libs', '--cuda-libs']);
    const cudaLibraries = rest.includes('--no-cuda-libs') ? false : rest.includes('--cuda-libs') ? true : undefined;
    done = await installCuda({ ...options, cudaLibraries });
  } else throw unknown('backend to install', name ?? '', 'native or cuda (wasm and cpu need no installation)');
  const took = done.fresh ? `installed in ${done.seconds.toFixed(0)} s` : 'is installed already';
  process.stdout.write(`TensorFlow ${done.version} for ${name} ${took}: ${done.folder} (${Math.round(done.bytes / 1e6)} MB)\n`);
  return 0;
}

function known(args: readonly string[], flags: readonly string[]): void {
  const odd = args.find(arg => !flags.includes(arg));
  if (odd !== undefined) throw unknown('option', odd, flags.join(', ') || 'none');
}

function unknown(what: string, found: string, expected: string): BadInput {
  return new BadInput({
    problem: `there is no such ${what}`,
    expected,
    found: quote(found),
    fix: '"tunebook backend help" shows what there is',
  });
}
