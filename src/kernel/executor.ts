// The process that runs the cells, started by process.ts with pipes at EVENTS_FD and INTERRUPT_FD.
import { setHost, Unavailable } from '../base/core/index.js';
import { CellRunner, tslabModule } from './cell.js';
import type { ToExecutor } from './channel.js';
import { Interrupts, KeyboardInterrupt } from './interrupt.js';
import { Language } from './language.js';
import { Modules } from './modules.js';
import { Output } from './output.js';
import { CellTimers } from './timers.js';
import { CellSources, errorContent } from './traceback.js';

const folder = process.cwd();
const output = new Output();
const timers = new CellTimers();
const interrupts = new Interrupts(timers);
const sources = new CellSources(folder);

function answer(message: ToExecutor): unknown {
  switch (message.type) {
    case 'execute':
      return runner.run(message);
    case 'isComplete':
      return language.isComplete(message.code);
    case 'complete': {
      const { start, end, candidates } = language.complete(runner.declarations, message.code, message.position);
      return { status: 'ok', cursor_start: start, cursor_end: end, matches: candidates, metadata: {} };
    }
    case 'inspect': {
      const text = language.inspect(runner.declarations, message.code, message.position);
      return { status: 'ok', found: text !== undefined, data: text === undefined ? {} : { 'text/plain': text }, metadata: {} };
    }
    case 'shutdown':
      process.exit(0);
  }
}

async function onMessage(message: ToExecutor): Promise<void> {
  let value: unknown;
  try {
    const pending = message.type === 'execute' ? answer(message) : interrupts.guard(() => answer(message));
    value = await pending;
  } catch (error) {
    value = { status: 'error', interrupted: false, ...errorContent(error, sources) };
  }
  output.send({ type: 'reply', id: message.id, value });
}

/** An exception outside any cell (a timer's, a promise nobody awaits): told, and the process lives on. */
function report(what: string): (error: unknown) => void {
  return error => {
    // What is left of an interrupted cell may still throw.
    if (error instanceof KeyboardInterrupt) return;
    output.print('stderr', `${what}: ${errorContent(error, sources).traceback.join('\n')}\n`);
  };
}

output.capture();
process.on('uncaughtException', report('Uncaught exception'));
process.on('unhandledRejection', report('Unhandled rejection'));
process.on('exit', code => output.send({ type: 'exit', code }));
// SIGINT reaches cells through vm's breakOnSigint only.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
setHost({
  name: 'tunebook',
  display: (bundle, options) => output.display(bundle, options),
  clear: (wait = false) => output.send({ type: 'clear', wait }),
  get signal() {
    return interrupts.signal;
  },
  shield: section => interrupts.shield(section),
});

const modules = new Modules(folder, specifier =>
  specifier === 'tslab'
    ? tslabModule(({ data, transient }, update) => output.display(data, { displayId: transient?.display_id, update }))
    : undefined,
);
const language = new Language();
const runner = new CellRunner(language, modules, interrupts, sources);
timers.install(() => interrupts.signal);
process.on('message', message => void onMessage(message as ToExecutor));
Object.defineProperty(globalThis, 'prompt', {
  configurable: true,
  value: () => {
    throw new Unavailable({ problem: 'a cell cannot ask for input here yet', fix: 'put the value into the cell' });
  },
});
// Libraries that ask whether they were forked (`process.send`) must not talk on our channel.
process.send = undefined;
output.send({ type: 'ready' });
