import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BadInput, nearest, quote } from '../base/core/index.js';
import { type RecordedRun, readRecord, readRecords, rerun } from '../learn/train/index.js';
import { readArguments } from './arguments.js';
import { runsDiff } from './runs-diff.js';
import { runDetails, runsTable } from './runs-table.js';

const USAGE = `tunebook runs [DIR]           runs recorded in DIR (default: runs, or what TUNEBOOK_RECORD names)
tunebook runs show RUN        everything that is known of one
tunebook runs diff RUN RUN    settings, versions, data and weights in which two differ, and what they reached
tunebook runs again RUN       run it again: its model, rows and template are taken from disk, and must be what they were

  --dir DIR   where the runs are
  --json      list or show as JSON
  --help

RUN is a folder, its name or the beginning of its name, or "latest".
`;

const ACTIONS = ['show', 'diff', 'again'] as const;

/** `tunebook runs`: list, show, compare and repeat recorded runs. Returns the exit code. */
export async function runsCommand(args: string[]): Promise<number> {
  const { values, positionals } = readArguments('runs', args, { values: ['dir'], flags: ['json'] });
  const print = (text: string) => void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  if (values.help) {
    print(USAGE);
    return 0;
  }
  const [first, ...rest] = positionals;
  const action = ACTIONS.find(name => name === first);
  const dir = values.dir ?? (process.env.TUNEBOOK_RECORD || 'runs');
  if (!action) {
    if (rest.length > 0 || (first !== undefined && values.dir !== undefined)) throw tooMany(positionals, 'runs [DIR]');
    const where = first ?? dir;
    if (first !== undefined && !existsSync(first)) throw noFolder(first);
    const runs = first === undefined && values.dir === undefined && !existsSync(where) ? [] : readRecords(where);
    if (values.json) print(JSON.stringify(runs.map(summary), null, 1));
    else if (runs.length === 0)
      print(`No run is recorded in ${where}. train.sft records into "runs" beside the notebook or script.`);
    else print(runsTable(runs));
    return 0;
  }
  const wanted = action === 'diff' ? 2 : 1;
  if (rest.length !== wanted) throw tooMany(rest, `runs ${action} ${Array(wanted).fill('RUN').join(' ')}`);
  const [run, other] = rest.map(name => findRun(name, dir));
  if (action === 'diff') print(runsDiff(run!, other!));
  else if (action === 'again') await again(run!, print);
  else print(values.json ? JSON.stringify(run!.record, null, 1) : runDetails(run!));
  return 0;
}

async function again(old: RecordedRun, print: (text: string) => void): Promise<void> {
  const run = await rerun(old.folder, { record: join(old.folder, '..') });
  await run.finish();
  const [before, now] = [old.history.loss, run.history.loss];
  const most = Math.max(0, ...now.map((loss, i) => Math.abs(loss - (before[i] ?? loss))));
  const same = now.length === before.length && most === 0;
  print(
    `${run.step} steps, last loss ${now.at(-1)}\n` +
      (same
        ? 'The losses are those of the recorded run, bit for bit.'
        : `The recorded run had ${before.length} steps and ended at ${before.at(-1)}; losses differ by ${most.toExponential(2)} at most.`),
  );
}

/** A run by folder, name, beginning of a name, or 'latest'. */
function findRun(name: string, dir: string): RecordedRun {
  if (existsSync(name)) return readRecord(name);
  const runs = readRecords(dir);
  const begun = runs.filter(({ id }) => id.startsWith(name));
  const found =
    name === 'latest' ? runs.at(-1) : (runs.find(({ id }) => id === name) ?? (begun.length === 1 ? begun[0] : undefined));
  if (found) return found;
  const ids = (begun.length > 1 ? begun : runs).map(({ id }) => id);
  const close = nearest(name, ids);
  throw new BadInput({
    problem: begun.length > 1 ? 'More than one run has a name that begins so' : 'There is no such run',
    where: { file: dir },
    expected: ids.length > 0 ? `one of ${ids.slice(-8).join(', ')}${ids.length > 8 ? ' …' : ''}` : 'a recorded run',
    found: quote(name),
    fix: close ? `did you mean ${close}?` : '"tunebook runs" lists them',
  });
}

function summary({ id, folder, record, state, step, last, evaluation }: RecordedRun): object {
  const { name, started, ended, total } = record;
  return { id, name, state, step, total, loss: last?.loss, evaluation, started, ended, folder };
}

function noFolder(name: string): BadInput {
  const close = nearest(name, ACTIONS);
  return new BadInput({
    problem: 'There is no such folder of runs',
    where: { file: name },
    expected: `a folder, or one of ${ACTIONS.join(', ')}`,
    fix: close ? `did you mean "tunebook runs ${close}"?` : 'see tunebook runs --help',
  });
}

function tooMany(found: string[], usage: string): BadInput {
  return new BadInput({
    problem: 'This is not how the command is called',
    expected: `tunebook ${usage}`,
    found: found.length > 0 ? found.join(' ') : 'nothing',
    fix: 'see tunebook runs --help',
  });
}
