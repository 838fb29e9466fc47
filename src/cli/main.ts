#!/usr/bin/env node
import { dispatch } from './commands.js';

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
