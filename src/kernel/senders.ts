import type { Router, XPublisher } from 'zeromq';

/** Takes messages and sends them in order: zeromq allows one pending send per socket. */
export interface Sender {
  send(frames: Uint8Array[]): void;
  /** Resolves when all of them are sent. */
  drained(): Promise<void>;
}

/** Messages that ZeroMQ holds for each front end. */
const ROOM = 500;
/** Messages and bytes in our own line from which on outputs are to wait where they come from. */
const LONG = { messages: 1000, bytes: 32 << 20 };
/** Milliseconds that a front end which does not read is waited for. */
const PATIENCE = 10_000;
/** Milliseconds between two tries. */
const AGAIN = 5;
/** Milliseconds between two messages while somebody is not waited for. */
const PACE = 1;

/** Replies. A front end that leaves 1,000 of them unread (ZeroMQ's own limit) gets none of those that follow. */
export function inLine(socket: Router): Sender {
  let tail: Promise<void> = Promise.resolve();
  return {
    send(frames) {
      // A peer that is gone (EHOSTUNREACH) or a closed socket must not stop the messages behind.
      tail = tail.then(() => socket.send(frames)).catch(() => {});
    },
    drained: () => tail,
  };
}

/**
 * What every front end gets. Nothing is lost on the way to one that reads, however slowly: as long as one has no room, all wait,
 * and {@link congested} tells the executor's side to read no more, so that a cell that prints waits as well. A front end that has not
 * read for ten seconds gets no message any more, whatever it says, until it reads again; the others get theirs.
 */
export class Publisher implements Sender {
  readonly #socket: XPublisher;
  readonly #patience: number;
  readonly #line: Uint8Array[][] = [];
  /** Messages at the beginning of the line that are sent already. */
  #sent = 0;
  /** Of those that are not. */
  #bytes = 0;
  #pumping: Promise<void> | undefined;
  /** When a front end last had no room and was not waited for; undefined while all are. */
  #gaveUp: number | undefined;
  #dropping = false;

  /**
   * @param socket not bound yet: what is set here counts for connections to come
   * @param patience milliseconds that a front end which does not read is waited for
   */
  constructor(socket: XPublisher, patience: number = PATIENCE) {
    socket.sendHighWaterMark = ROOM;
    // Instead of dropping a message for the front end that has no room for it, sending fails (EAGAIN).
    socket.noDrop = true;
    this.#socket = socket;
    this.#patience = patience;
  }

  get congested(): boolean {
    return this.#line.length - this.#sent > LONG.messages || this.#bytes > LONG.bytes;
  }

  send(frames: Uint8Array[]): void {
    this.#line.push(frames);
    this.#bytes += sizeOf(frames);
    this.#pumping ??= this.#pump();
  }

  async drained(): Promise<void> {
    await this.#pumping;
  }

  async #pump(): Promise<void> {
    while (this.#sent < this.#line.length) {
      const frames = this.#line[this.#sent]!;
      await this.#deliver(frames);
      this.#bytes -= sizeOf(frames);
      this.#line[this.#sent] = [];
      // Taken out in bulk: to take each out of a long line by itself would move all the others every time.
      if (++this.#sent < this.#line.length && this.#sent < LONG.messages) continue;
      this.#line.splice(0, this.#sent);
      this.#sent = 0;
    }
    this.#pumping = undefined;
  }

  async #deliver(frames: Uint8Array[]): Promise<void> {
    // From time to time it is tried whether all read again.
    const tried = this.#gaveUp !== undefined && performance.now() - this.#gaveUp > this.#patience;
    if (tried) this.#drop(false);
    const patience = this.#gaveUp === undefined ? this.#patience : 0;
    const start = performance.now();
    while ((await this.#isFull(frames)) && !this.#dropping) {
      if (performance.now() - start < patience) {
        await pause(AGAIN);
        continue;
      }
      if (this.#gaveUp === undefined)
        process.stderr.write('tunebook: a front end does not read; until it does, it gets no outputs\n');
      this.#gaveUp = performance.now();
      this.#drop(true);
    }
    if (!this.#dropping) this.#gaveUp = undefined;
    // ZeroMQ drops for everybody who has no room now: those who read are given time to.
    else await pause(PACE);
  }

  #drop(dropping: boolean): void {
    this.#dropping = dropping;
    // zeromq warns that a bound socket takes no notice of options, which is not so for this one.
    const { emitWarning } = process;
    process.emitWarning = () => {};
    this.#socket.noDrop = !dropping;
    process.emitWarning = emitWarning;
  }

  /** Send; whether that failed for lack of room. */
  async #isFull(frames: Uint8Array[]): Promise<boolean> {
    try {
      await this.#socket.send(frames);
    } catch (error) {
      // A closed socket takes nothing more.
      return (error as { code?: string }).code === 'EAGAIN';
    }
    return false;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds));
}

function sizeOf(frames: readonly Uint8Array[]): number {
  return frames.reduce((sum, { length }) => sum + length, 0);
}
