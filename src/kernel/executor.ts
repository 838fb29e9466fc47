// The process that runs the cells, started by process.ts with pipes at EVENTS_FD, INTERRUPT_FD and ANSWER_FD.
import { format } from 'node:util';
import { type MimeBundle, setHost } from '../base/core/index.js';
import { Asking, type AskOptions } from './asking.js';
import { CellRunner, tslabModule } from './cell.js';
import { CellEnd } from './cell-end.js';
import type { CellOutcome, ToExecutor } from './channel.js';
import { Children } from './children.js';
import { Comms } from './comms.js';
import { watchHooks } from './hooks.js';
import { Interrupts, KeyboardInterrupt } from './interrupt.js';
import { isComplete } from './is-complete.js';
import { Language } from './language.js';
import { Leftovers } from './leftovers.js';
import { Modules } from './modules.js';
import { Output } from './output.js';
import { Repair } from './repair.js';
import { CellTimers, own } from './timers.js';
import { CellSources, errorContent } from './traceback.js';

/** Requests whose repetition is recognised. */
const REMEMBERED = 10_000;

const folder = process.cwd();
const exit = process.exit.bind(process);
const received = new Set<number>();
/** Serial number of the cell that started last. */
let latest = 0;
const timers = new CellTimers();
const repair = new Repair();
const interrupts: Interrupts = new Interrupts(timers, () => {
  repair.run();
  modules.cut();
  // Node still counts the contexts that were left. It forgets them with an exception, of which we take no notice.
  own.setImmediate(() => {
    throw new KeyboardInterrupt();
  });
  output.send({ type: 'forced' });
});
const output = new Output(
  () => timers.owner,
  write => interrupts.shield(write),
  () => interrupts.interrupted,
);
const children = new Children(() => timers.owner);
const leftovers = new Leftovers(() => timers.owner);
const sources = new CellSources(folder);
const cellEnd = new CellEnd();
const comms = new Comms(event => output.send({ type: 'comm', ...event }), report('Uncaught exception'));
const asking = new Asking(question => output.send({ type: 'question', ...question }), interrupts);

function answer(message: Exclude<ToExecutor, { type: 'execute' | 'comm' }>): unknown {
  switch (message.type) {
    case 'isComplete':
      return isComplete(language.ts, message.code);
    case 'complete':
      return { status: 'ok', ...language.complete(message.code, message.position) };
    case 'inspect': {
      const data = language.inspect(message.code, message.position, message.detail);
      return { status: 'ok', found: data !== undefined, data: data ?? {}, metadata: {} };
    }
    case 'answer':
      return asking.answered(message.answer);
    case 'shutdown':
      exit(0);
  }
}

function execute(message: Extract<ToExecutor, { type: 'execute' }>): void {
  interrupts.putRight();
  repair.begin();
  latest = message.serial;
  const reply = (value: CellOutcome) => output.send({ type: 'reply', id: message.id, value });
  runner.run(message, outcome => {
    if (outcome.status === 'error' && outcome.interrupted) {
      children.interrupt(message.serial);
      const tell = (text: string) => output.send({ type: 'stream', cell: message.serial, name: 'stderr', text });
      leftovers.watch(message.serial, () => latest !== message.serial, tell);
    }
    try {
      reply(sendable(outcome));
    } catch (error) {
      // Whatever cannot be sent, the front end must learn that the cell is over.
      reply({ status: 'error', interrupted: false, ...errorContent(error, sources) });
    }
  });
}

/** An outcome whose bundles a front end can take. */
function sendable(outcome: CellOutcome): CellOutcome {
  if (outcome.status === 'ok') {
    const expressions = Object.values(outcome.expressions) as { data?: MimeBundle }[];
    for (const shown of [outcome.result, ...expressions]) if (shown?.data) shown.data = output.limited(shown.data);
  }
  return outcome;
}

function onMessage(message: ToExecutor): void {
  // What had no answer when code was stopped by force is asked again.
  if (message.id > 0 && received.has(message.id)) return;
  // In a guard: it is not taken as received by a main thread that is about to be stopped.
  interrupts.guard(() => received.add(message.id));
  if (received.size > REMEMBERED) received.delete(received.values().next().value!);
  if (message.type === 'execute') {
    execute(message);
    return;
  }
  if (message.type === 'comm') {
    // Handlers are user code, so an interrupt may cut them: the reply is on its way before they run.
    own.setImmediate(() => output.send({ type: 'reply', id: message.id, value: undefined }));
    comms.receive(message);
    return;
  }
  let value: unknown;
  try {
    value = interrupts.guard(() => answer(message));
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
sources.stacks.install();
// Node's would show the frames of the kernel, and the cell's as they were compiled.
console.trace = (...args: unknown[]) => {
  const trace = new Error(format(...args));
  trace.name = 'Trace';
  Error.captureStackTrace(trace, console.trace);
  console.error(errorContent(trace, sources).traceback.join('\n'));
};
process.on('uncaughtException', report('Uncaught exception'));
process.on('unhandledRejection', report('Unhandled rejection'));
process.exit = (code?: number | string | null): never => {
  output.send({ type: 'exit', code: Number(code ?? process.exitCode ?? 0) });
  return exit(code);
};
// An interrupt is a message; the signal means nothing here.
process.on('SIGINT', () => {});
process.on('disconnect', () => exit(0));
setHost({
  name: 'tunebook',
  display: (bundle, options) => output.display(bundle, options),
  clear: (wait = false) => output.clear(wait),
  get signal() {
    return interrupts.signal;
  },
  shield: section => interrupts.shield(section),
  onCellEnd: task => cellEnd.add(task),
  comm: (target, data, extras) => comms.open(target, data, extras),
  onComm: (target, handler) => comms.onOpen(target, handler),
  page: data => output.send({ type: 'page', data }),
});

const language = new Language(folder, () => interrupts.wanted);
const builtin = (specifier: string) =>
  specifier === 'tslab'
    ? tslabModule(({ data, transient }, update) => output.display(data, { displayId: transient?.display_id, update }))
    : undefined;
const modules = new Modules({ folder, language, interrupts, sources, builtin });
const runner = new CellRunner(language, modules, interrupts, sources, cellEnd);
timers.install(
  () => interrupts.signal,
  () => interrupts.ticksStopped,
);
children.install(interrupts, output);
leftovers.install();
watchHooks(active => {
  interrupts.hooks = active;
});
process.on('message', message => onMessage(message as ToExecutor));
// Their types: globals.ts.
for (const [name, value] of Object.entries({
  prompt: (message?: unknown, fallback?: unknown) => asking.prompt(message, fallback),
  ask: (message?: unknown, options?: AskOptions) => asking.ask(message, options),
})) {
  Object.defineProperty(globalThis, name, { configurable: true, writable: true, enumerable: true, value });
}
// Libraries that ask whether they were forked (`process.send`) must not talk on our channel.
process.send = undefined;
output.send({ type: 'ready' });
own.setImmediate(() => {
  interrupts.guard(() => language.warmUp());
  // After the request that may be waiting.
  own.setImmediate(() => interrupts.guard(() => language.rehearse()));
});
