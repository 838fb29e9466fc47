#!/usr/bin/env node
import { dispatch } from './commands.js';

// Whoever read this has heard enough (`| head`): no reason to die in the middle of a sweep, or with a stack.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

dispatch(process.argv.slice(2)).then(
  code => {
    process.exitCode = code;
  },
  error => {
    // Not one of our errors, so a mistake of ours: the stack is what helps.
    console.error(error);
    process.exitCode = 1;
  },
);
