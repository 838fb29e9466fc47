import { BadInput, nearest, quote } from '../base/core/index.js';
import {
  installDenoKernelspec,
  installKernelspec,
  installTslabKernelspec,
  kernelspecs,
  pythonPrefix,
  uninstallKernelspec,
} from '../kernel/index.js';
import { readArguments } from './arguments.js';

const USAGE = `tunebook kernel install   [--python PATH | --prefix DIR] [--tslab] [--deno]   put the kernelspec where that Jupyter finds it
tunebook kernel uninstall [--python PATH | --prefix DIR]                      take it away
tunebook kernel list      [--python PATH | --prefix DIR]                      show the kernelspecs there
Default: --python .venv/bin/python. With --tslab and --deno also those kernels as they come, to compare.
`;

const ACTIONS: readonly string[] = ['install', 'uninstall', 'list'];

/** `tunebook kernel …`: install, remove and list kernelspecs. Returns the exit code. */
export async function kernelCommand(args: string[]): Promise<number> {
  const { values, positionals } = readArguments('kernel', args, { values: ['python', 'prefix'], flags: ['tslab', 'deno'] });
  const [action, ...more] = positionals;
  if (values.help || action === undefined) {
    process.stdout.write(USAGE);
    return values.help ? 0 : 2;
  }
  if (!ACTIONS.includes(action) || more.length > 0) {
    const near = nearest(action, ACTIONS);
    throw new BadInput({
      problem: 'this is not how the command is called',
      expected: `one of ${ACTIONS.join(', ')}`,
      found: quote(positionals.join(' ')),
      fix: near && near !== action ? `did you mean "tunebook kernel ${near}"?` : 'see "tunebook kernel --help"',
    });
  }
  const prefix = values.prefix ?? pythonPrefix(values.python ?? '.venv/bin/python');
  switch (action) {
    case 'install':
      process.stdout.write(`Installed the kernel "tunebook": ${await installKernelspec({ prefix })}\n`);
      if (values.tslab) process.stdout.write(`Installed the kernel "tslab": ${await installTslabKernelspec({ prefix })}\n`);
      if (values.deno) process.stdout.write(`Installed the kernel "deno": ${await installDenoKernelspec({ prefix })}\n`);
      return 0;
    case 'uninstall': {
      const removed = await uninstallKernelspec({ prefix });
      process.stdout.write(removed ? `Removed the kernel "tunebook" from ${prefix}\n` : `No kernel "tunebook" under ${prefix}\n`);
      return 0;
    }
    default: {
      const specs = await kernelspecs({ prefix });
      if (specs.length === 0) process.stdout.write(`No kernels under ${prefix}\n`);
      for (const { name, displayName, path } of specs)
        process.stdout.write(`${name.padEnd(12)} ${displayName.padEnd(28)} ${path}\n`);
      return 0;
    }
  }
}
