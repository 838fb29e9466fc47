import type { ErrorContent } from './channel.js';
import { alarm } from './inks.js';
import type { Death } from './process.js';

/** What a front end shows when the process that ran the cell is gone. */
export function deathReport({ code, signal, onPurpose, outOfMemory }: Death): ErrorContent {
  const lost = 'Its variables are lost; a fresh process runs the next cell.';
  const [ename, what] = outOfMemory
    ? [
        'OutOfMemory',
        'The process that runs cells ran out of memory and ended. NODE_OPTIONS=--max-old-space-size=8192 in the environment of Jupyter gives JavaScript 8 GB instead of 4.',
      ]
    : onPurpose
      ? ['ProcessExit', `The cell ended its process: process.exit(${code ?? ''}).`]
      : signal
        ? [
            'ProcessCrash',
            `The process that runs cells was ended by ${signal}${signal === 'SIGKILL' ? ' (often: the machine ran out of memory)' : ''}.`,
          ]
        : code === null
          ? ['ProcessCrash', 'The process that runs cells could not be started.']
          : ['ProcessCrash', `The process that runs cells ended unexpectedly with exit code ${code}.`];
  const evalue = `${what} ${lost}`;
  return { ename, evalue, traceback: [`${alarm(ename)}: ${evalue}`] };
}
