/** Slots of the memory that the executor's main thread and its helper thread share. */
export const FLAG = 0;
/** Serial number of the running cell; 0 while none runs. */
export const RUNNING = 1;
/** Depth of sections that must not be cut. */
export const SHIELD = 2;
/** 1 while the synchronous start of a cell runs inside vm, where SIGINT is the gentle way to stop it. */
export const IN_VM = 3;
/** Number of the last ping the main thread answered. */
export const PONG = 4;
export const SLOTS = 5;

/** From the helper thread to the main thread. An interrupt counts as a ping, too. */
export interface Knock {
  /** Serial number of the cell to interrupt; 0 for a mere ping. */
  interrupt: number;
  ping: number;
}
