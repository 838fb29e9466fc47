// The executor's helper thread. It hears an interrupt while the main thread computes, tells the main thread, and when that does
// not answer, makes V8 stop what it runs.
import { Session } from 'node:inspector';
import { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { INTERRUPT_FD } from './channel.js';
import { FLAG, IN_VM, type Knock, PONG, RUNNING, SHIELD } from './shared.js';

/** Milliseconds the main thread has to answer before it is stopped by force. */
const PATIENCE = 250;
const CHECK = 50;

const shared = workerData as Int32Array;
let ping = 0;
let sentAt = 0;
let checkedAt = 0;
let watch: NodeJS.Timeout | undefined;
/** The last ping was sent after the cell had ended. */
let confirming = false;

const knock = (interrupt: number) => {
  sentAt = performance.now();
  parentPort!.postMessage({ interrupt, ping: ++ping } satisfies Knock);
};

const interrupted = () => {
  const cell = Atomics.load(shared, RUNNING);
  if (cell !== 0) Atomics.store(shared, FLAG, 1);
  // Also between cells: what an earlier cell left behind may keep the main thread from ever starting the next one.
  knock(cell);
  checkedAt = performance.now();
  watch ??= setInterval(check, CHECK);
};

function check(): void {
  // A machine that slept, or gave this process no time, gave the main thread none to answer in either.
  if (performance.now() - checkedAt > 3 * CHECK) sentAt = performance.now();
  checkedAt = performance.now();
  const settled = Atomics.load(shared, FLAG) === 0;
  const answered = Atomics.load(shared, PONG) === ping;
  if (settled && (Atomics.load(shared, RUNNING) !== 0 || (answered && confirming))) {
    // A new cell runs, or the main thread is idle: nothing of the interrupted cell holds it.
    clearInterval(watch);
    watch = undefined;
    confirming = false;
    return;
  }
  if (Atomics.load(shared, SHIELD) > 0) {
    sentAt = performance.now();
    return;
  }
  // A main thread that answers may still be caught in a new loop: keep asking, once more after the cell is settled.
  if (answered) {
    confirming = settled;
    knock(0);
  } else if (performance.now() - sentAt >= PATIENCE) force();
}

function force(): void {
  if (Atomics.load(shared, IN_VM) === 1) process.kill(process.pid, 'SIGINT');
  else terminate();
  sentAt = performance.now();
}

function terminate(): void {
  const session = new Session();
  session.connectToMainThread();
  session.post('Runtime.terminateExecution', () => session.disconnect());
}

const pipe = new Socket({ fd: INTERRUPT_FD, readable: true, writable: false });
pipe.on('data', interrupted);
// The protocol process is gone: nobody can stop a loop of ours any more.
pipe.on('close', () => process.kill(process.pid, 'SIGKILL'));
pipe.on('error', () => {});
