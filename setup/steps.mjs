// Steps with a name, a check, an action and a remedy; and the running of programs with one live line.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CACHE } from './paths.mjs';

/** A step went wrong in a way that a person can mend: what happened, and what to do. */
export class StepFailed extends Error {
  constructor(problem, remedy, log = []) {
    super(problem);
    this.remedy = remedy;
    this.log = log;
  }
}

const tty = process.stdout.isTTY === true;
const say = line => process.stdout.write(`${line}\n`);

/**
 * Run steps in order. A step is
 *   { title, size?, check(): text if there is nothing to do, run(live): text (what was done), optional?: (error) => text }
 * `optional` turns a failure into a note on what is used instead. Throws StepFailed at the first step that must not fail.
 */
export async function runSteps(steps) {
  for (const step of steps) {
    const ready = await step.check?.();
    if (ready !== undefined) {
      say(`  ✓ ${step.title}: ${ready}`);
      continue;
    }
    if (step.announce !== false) say(`  … ${step.title}${step.size ? ` (${step.size})` : ''}`);
    const live = liveLine(step.title);
    try {
      const done = await step.run(live.note);
      live.end();
      say(`  ✓ ${step.title}: ${done}${live.seconds() >= 1 ? `, ${live.seconds()} s` : ''}`);
    } catch (error) {
      live.end();
      if (!(error instanceof StepFailed)) throw error;
      if (!step.optional) {
        say(`  ✗ ${step.title}`);
        throw error;
      }
      say(`  – ${step.title}: ${await step.optional(error)}`);
    }
  }
}

/** What a failed step says, for the end of a run. */
export function describeFailure(error) {
  const log = error.log.length ? `\n${error.log.map(line => `    | ${line}`).join('\n')}` : '';
  return `${error.message}${log}\n  What to do: ${error.remedy}`;
}

// On a terminal one line is rewritten in place; elsewhere a plain line every ten seconds shows that it is alive.
function liveLine(title) {
  const start = performance.now();
  const seconds = () => Math.round((performance.now() - start) / 1000);
  let text = '';
  const draw = () => {
    const line = `    ${title}: ${seconds()} s${text ? `, ${text}` : ''}`;
    if (tty) process.stdout.write(`\r\u001b[K${line.slice(0, (process.stdout.columns || 80) - 1)}`);
    else say(line);
  };
  const timer = setInterval(draw, tty ? 200 : 10_000);
  return {
    seconds,
    note: line => {
      text = line;
    },
    end() {
      clearInterval(timer);
      if (tty) process.stdout.write('\r\u001b[K');
    },
  };
}

/**
 * Run a program to its end. `onLine` sees each line of its output (both streams). Throws StepFailed with `problem`, `remedy`
 * and the last lines when it cannot start or exits with another code than 0. Returns the lines.
 * @param {string} program
 * @param {string[]} args
 * @param {{problem?: string, remedy?: string, onLine?: (line: string) => void, env?: Record<string, string>, cwd?: string, logLines?: number}} options
 */
export function command(program, args, { problem, remedy, onLine, env, cwd, logLines = 12 } = {}) {
  return new Promise((resolve, reject) => {
    const lines = [];
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: program.endsWith('.cmd'),
    });
    const onText = line => {
      lines.push(line);
      if (lines.length > 2000) lines.shift();
      onLine?.(line);
    };
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onText);
    child.on('error', error => reject(new StepFailed(`${problem ?? program}: ${error.message}.`, remedy)));
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(lines);
      const how = signal ? `was ended by ${signal}` : `exited with ${code}`;
      reject(
        new StepFailed(
          `${problem ?? program} (${how}).`,
          remedy,
          lines.filter(line => line.trim() && !line.startsWith('Ignoring ')).slice(-logLines),
        ),
      );
    });
  });
}

/**
 * A mark that a step is finished. It is taken away before the work begins and written after its end, so a run that was
 * killed leaves `begun`, and the next run does the step again.
 */
export function stamp(id) {
  const file = join(CACHE, 'setup', `${id}.json`);
  const write = value => {
    mkdirSync(join(CACHE, 'setup'), { recursive: true });
    writeFileSync(file, `${JSON.stringify(value)}\n`);
  };
  return {
    /** undefined (never seen), { begun: true }, or what `done` was given. */
    read() {
      try {
        return JSON.parse(readFileSync(file, 'utf8'));
      } catch {
        return undefined;
      }
    },
    begin: () => write({ begun: true }),
    done: value => write(value),
    clear: () => rmSync(file, { force: true }),
  };
}

/** One set-up of a clone at a time: waits for another that is alive, takes over from one that died. Returns the release. */
export async function lock(waiting) {
  const file = join(CACHE, 'setup', 'lock');
  mkdirSync(join(CACHE, 'setup'), { recursive: true });
  for (let told = false; ; ) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      const release = () => rmSync(file, { force: true });
      process.once('exit', release);
      return () => {
        process.removeListener('exit', release);
        release();
      };
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!alive(file)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told) waiting();
    told = true;
    await new Promise(resolve => setTimeout(resolve, 500));
  }
}

function alive(file) {
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
