import { parseArgs } from 'node:util';
import { BadInput, nearest } from '../base/core/index.js';

/** What a command was given; `--help` and `-h` belong to every command. */
export interface Arguments<Value extends string, Flag extends string> {
  values: { [name in Value]?: string } & { [name in Flag | 'help']?: boolean };
  positionals: string[];
}

/**
 * Read the arguments of a command.
 * @param known `values`: names of options that take a value; `flags`: names of those that do not
 * @throws BadInput for an option it does not have, with the one that was meant, and for a value that is missing or too much
 */
export function readArguments<Value extends string, Flag extends string = never>(
  command: string,
  args: readonly string[],
  known: { values: readonly Value[]; flags?: readonly Flag[] },
): Arguments<Value, Flag> {
  const flags: readonly string[] = [...(known.flags ?? []), 'help'];
  const names = [...known.values, ...flags];
  // A number that begins with a dash (--steps -3) is a value, to be refused as one.
  const isValue = (i: number) => /^-\d/.test(args[i] ?? '') && known.values.some(name => args[i - 1] === `--${name}`);
  try {
    return parseArgs({
      args: args.flatMap((arg, i) => (isValue(i) ? [] : [isValue(i + 1) ? `${arg}=${args[i + 1]}` : arg])),
      allowPositionals: true,
      options: Object.fromEntries([
        ...known.values.map(name => [name, { type: 'string' }] as const),
        ...flags.map(name => [name, { type: 'boolean', ...(name === 'help' ? { short: 'h' } : {}) }] as const),
      ]),
    }) as unknown as Arguments<Value, Flag>;
  } catch (error) {
    const { message } = error as Error;
    const unknown = /'--?([^'=\s]+)/.exec(message)?.[1] ?? '';
    const near = nearest(unknown, names);
    const fix = near && near !== unknown ? `did you mean --${near}?` : `see "tunebook ${command} --help"`;
    throw new BadInput({
      // What follows the first sentence is advice for programmers.
      problem: message.split(/\. |[.\n]/)[0]!,
      expected: names.map(name => `--${name}`).join(', '),
      fix: message.includes('ambiguous') ? `write --${unknown}=VALUE` : fix,
      cause: error,
    });
  }
}
