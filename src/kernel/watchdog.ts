// The executor's helper thread. It hears an interrupt while the main thread computes, tells the main thread, and when that does
// not answer, makes V8 stop what it runs.
import { Session } from 'node:inspector';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { INTERRUPT_FD } from './channel.js';
import { commandOf, descendants, mainThread } from './processes.js';
import {
  type Background,
  CALM,
  CHILD,
  FLAG,
  FORCE,
  FORCED,
  HOLD,
  HOOKS,
  type Knock,
  NO_TICKS,
  PASSED,
  PONG,
  RUNNING,
  SHIELD,
  STOPPING,
  WANTED,
} from './shared.js';

/** Milliseconds the main thread has to answer before it is stopped by force. */
const PATIENCE = 250;
const CHECK = 50;
/** Milliseconds of computing in that time: a main thread that was given less of the machine could not answer. */
const COMPUTED = 100;

const shared = workerData as Int32Array;
let watch: NodeJS.Timeout | undefined;
let ping = 0;
let sentAt = 0;
let checkedAt = 0;
/** Time the main thread had computed when the last ping was sent, ms; undefined where that cannot be known. */
let computedAtPing: number | undefined;
/** The last ping was sent after the cell had ended. */
let confirming = false;
/** How often the main thread was stopped since its last answer. */
let stops = 0;
/** How often the running cell was interrupted. */
let insistence = 0;
let background: number[] = [];
/** How insistently each program was told. A shell that is just turning into another program may lose the signal. */
const told = new Map<string, number>();

function knock(): void {
  sentAt = performance.now();
  computedAtPing = mainThread()?.computed;
  ask();
}

function ask(): void {
  parentPort!.postMessage({ interrupt: Atomics.load(shared, WANTED), ping: ++ping } satisfies Knock);
}

function interrupt(cell: number): void {
  insistence = cell === Atomics.load(shared, WANTED) ? insistence + 1 : 0;
  if (insistence === 0) told.clear();
  Atomics.store(shared, WANTED, cell);
  // A cell that has not begun yet finds what is wanted when it does.
  if (cell !== 0 && Atomics.load(shared, RUNNING) === cell) Atomics.store(shared, FLAG, 1);
  confirming = false;
  signalChild();
  if (watch) return;
  // Also between cells: what an earlier cell left behind may keep the main thread from ever starting the next one.
  knock();
  checkedAt = performance.now();
  watch = setInterval(check, CHECK);
}

function check(): void {
  const now = performance.now();
  // A machine that slept gave the main thread no time to answer in; see `starved` where the system tells more.
  if (computedAtPing === undefined && now - checkedAt > 3 * CHECK) sentAt = now;
  checkedAt = now;
  const over = Atomics.load(shared, RUNNING) !== Atomics.load(shared, WANTED);
  const answered = Atomics.load(shared, PONG) === ping;
  // A main thread that answers after all has nothing to wait for at the end of its section.
  if (answered || anotherRuns()) {
    Atomics.compareExchange(shared, FORCE, HOLD, CALM);
    Atomics.notify(shared, FORCE);
  }
  if (anotherRuns() || (answered && over && confirming)) {
    // The main thread runs another cell or is idle: nothing of the interrupted one holds it.
    clearInterval(watch);
    watch = undefined;
    stops = 0;
    return;
  }
  if (answered) {
    stops = 0;
    // A main thread that answers may still be caught in a new loop: keep asking, once more after the cell has ended.
    confirming = over;
    knock();
  } else if (now - sentAt >= PATIENCE && !starved()) force();
  // What is stopped is whatever runs next: where the main thread has just become idle, that was the reading of the message.
  else if (stops > 0) ask();
}

/** Whether a cell runs that nobody interrupted. */
function anotherRuns(): boolean {
  const running = Atomics.load(shared, RUNNING);
  return running !== 0 && running !== Atomics.load(shared, WANTED);
}

/** Whether the main thread would have answered, had the machine let it run. */
function starved(): boolean {
  const main = mainThread();
  if (main === undefined || computedAtPing === undefined) return false;
  return main.runnable && main.computed - computedAtPing < COMPUTED;
}

/** See Shield: what is written here before the depth is read tells the main thread to begin nothing new. */
function force(): void {
  signalChild();
  // It may end by itself; stopped by force the process might end with it, so that is for who insists.
  if (Atomics.load(shared, HOOKS) === 1 && insistence === 0) return;
  // Stopped already, but not yet back from native code: once is enough.
  if (Atomics.load(shared, FORCE) === STOPPING) return;
  say(STOPPING);
  if (Atomics.load(shared, SHIELD) > 0 || Atomics.load(shared, CHILD) === 1) {
    say(HOLD);
    // What comes after the section has as long as any code to answer.
    sentAt = performance.now();
    return;
  }
  // It began in this very moment; see Interrupts.begin.
  if (anotherRuns()) {
    say(CALM);
    return;
  }
  sentAt = performance.now();
  // Whoever is stopped again and again schedules himself in a queue that outlives it.
  if (++stops > 1) Atomics.store(shared, NO_TICKS, 1);
  Atomics.store(shared, FORCED, 1);
  terminate();
}

function say(state: number): void {
  Atomics.store(shared, FORCE, state);
  Atomics.notify(shared, FORCE);
}

function terminate(): void {
  const session = new Session();
  session.connectToMainThread();
  session.post('Runtime.terminateExecution', () => {
    session.disconnect();
    // Once more: the main thread may have looked just before it was stopped.
    Atomics.store(shared, FORCED, 1);
    say(CALM);
  });
}

/** When the main thread waits for a child, the child is interrupted, as from a terminal. Who insists is heard. */
function signalChild(): void {
  if (Atomics.load(shared, CHILD) === 0) return;
  // Sent before the wait began; its turn in the event loop may not have come.
  for (let sent = receiveMessageOnPort(parentPort!); sent; sent = receiveMessageOnPort(parentPort!)) learn(sent.message);
  const signal = (['SIGINT', 'SIGTERM'] as const)[insistence] ?? 'SIGKILL';
  for (const pid of descendants(process.pid, new Set(background))) {
    const program = `${pid} ${commandOf(pid)}`;
    if (told.get(program) === insistence) continue;
    told.set(program, insistence);
    try {
      process.kill(pid, signal);
    } catch {
      // It ended meanwhile.
    }
  }
}

function learn(message: Background): void {
  background = message.background;
}

parentPort!.on('message', learn);

const pipe = new Socket({ fd: INTERRUPT_FD, readable: true, writable: false });
createInterface(pipe).on('line', line => {
  const [word, number] = line.split(' ');
  if (word === 'interrupt') interrupt(Number(number));
  else {
    Atomics.store(shared, PASSED, Number(number));
    Atomics.notify(shared, PASSED);
  }
});
// The protocol process is gone: nobody can stop a loop of ours any more.
pipe.on('close', () => process.kill(process.pid, 'SIGKILL'));
pipe.on('error', () => {});
