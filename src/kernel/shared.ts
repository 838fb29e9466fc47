/** Slots of the memory that the executor's main thread and its helper thread share. */
export const FLAG = 0;
/** Serial number of the running cell; 0 while none runs. */
export const RUNNING = 1;
/** Depth of sections that must not be cut. */
export const SHIELD = 2;
/** Number of the last ping the main thread answered. */
export const PONG = 3;
/** Serial number of the cell that was last asked to stop; it may not have begun yet. */
export const WANTED = 4;
/** How far the helper thread has gone in stopping the main thread by force: CALM, STOPPING or HOLD. */
export const FORCE = 5;
/** 1 while `process.nextTick` takes nothing: a chain of ticks outlives every other way of being stopped. */
export const NO_TICKS = 6;
/** 1 while the main thread waits for a child process (execSync and its kin). */
export const CHILD = 7;
/** 1 after the main thread was stopped by force, until it has put right what that left behind. */
export const FORCED = 8;
/** Number of the last output that the protocol process has passed on, of those it was asked to confirm. */
export const PASSED = 9;
/** 1 while asynchronous hooks are on: Node may not survive that code is stopped by force. */
export const HOOKS = 10;
export const SLOTS = 11;

/** FORCE: nothing is under way. */
export const CALM = 0;
/** FORCE: the main thread is being stopped and must not begin anything that must not be cut. */
export const STOPPING = 1;
/** FORCE: the main thread is in such a section and shall wait at its end to be stopped. */
export const HOLD = 2;

/** From the helper thread to the main thread. An interrupt counts as a ping, too. */
export interface Knock {
  /** Serial number of the cell to interrupt; 0 for a mere ping. */
  interrupt: number;
  ping: number;
}

/** From the main thread to the helper thread, before it waits for a child process: those that run in the background. */
export interface Background {
  background: number[];
}
