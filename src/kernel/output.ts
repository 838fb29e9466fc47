import { Buffer } from 'node:buffer';
import { writeSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import type { MimeBundle } from '../base/core/index.js';
import { EVENTS_FD, type FromExecutor } from './channel.js';
import { Rest } from './rest.js';
import { own } from './timers.js';

/** Milliseconds that printed text may wait for more. */
const LATEST = 50;
const LARGEST = 1 << 16;
/** This many prints in that time go at once: a line before a long computation must not wait for its end. */
const AT_ONCE = 16;
/** Milliseconds before each message of a cell that prints on after its interrupt: it is about to be stopped. */
const BRAKE = 20;

/**
 * What the executor says to the protocol process, in order. Writes are synchronous: what a cell printed has arrived when the
 * process crashes in its next line, and a cell that prints without end is slowed down to what the protocol process reads.
 */
export class Output {
  readonly #owner: () => number;
  readonly #uncut: <T>(write: () => T) => T;
  readonly #interrupted: () => boolean;
  readonly #rest = new Rest();
  #name: 'stdout' | 'stderr' = 'stdout';
  #cell = 0;
  #pieces: string[] = [];
  #size = 0;
  #windowStart = 0;
  #printed = 0;
  /** The window before was full. */
  #flood = false;
  #numbered = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param owner serial number of the cell whose code is running: what it prints is its own
   * @param uncut runs a write that an interrupt must not cut
   * @param interrupted whether the running cell was interrupted
   */
  constructor(owner: () => number, uncut: <T>(write: () => T) => T, interrupted: () => boolean) {
    this.#owner = owner;
    this.#uncut = uncut;
    this.#interrupted = interrupted;
  }

  /** Send an event, after the text printed before it. */
  send(event: FromExecutor): void {
    this.#uncut(() => {
      this.#flush();
      write(event);
    });
  }

  /** Print: collected for a moment, since a message per line would drown the front end. */
  print(name: 'stdout' | 'stderr', text: string): void {
    if (text === '') return;
    const cell = this.#owner();
    if (name !== this.#name || cell !== this.#cell) this.flush();
    this.#name = name;
    this.#cell = cell;
    const piece = this.#rest.ofText(text);
    this.#pieces.push(piece);
    this.#size += piece.length;
    // A synchronous loop never lets the timer fire, so the clock is asked here, too.
    const now = clock();
    const newWindow = now - this.#windowStart >= LATEST;
    if (newWindow) {
      this.#flood = this.#printed >= AT_ONCE && now - this.#windowStart < 2 * LATEST;
      this.#windowStart = now;
      this.#printed = 0;
    }
    const atOnce = this.#printed + 1 < (this.#flood ? 2 : AT_ONCE);
    if (atOnce || this.#size >= LARGEST) this.flush();
    // Not before: where the stack is full nothing may have gone.
    this.#printed++;
    if (this.#size > 0) this.#timer ??= own.setTimeout(() => this.flush(), LATEST);
  }

  flush(): void {
    if (this.#size > 0) this.#uncut(() => this.#flush());
  }

  /** A child process is going to write to the same descriptors. Returns the number of this message, see `Interrupts.whenPassed`. */
  beforeChild(): number {
    this.send({ type: 'beforeRaw', number: ++this.#numbered });
    return this.#numbered;
  }

  /** A child process has written to the same descriptors: what comes now comes after it. */
  afterChild(): void {
    this.send({ type: 'afterRaw' });
  }

  display(data: MimeBundle, options: { displayId?: string; update?: boolean; metadata?: Record<string, unknown> } = {}): void {
    const { displayId, update = false, metadata = {} } = options;
    this.send({ type: 'display', cell: this.#owner(), data: this.#rest.ofBundle(data), metadata, displayId, update });
  }

  /** Clear the output of the cell whose code is running. */
  clear(wait: boolean): void {
    this.send({ type: 'clear', cell: this.#owner(), wait });
  }

  /** A result as it may be sent: what is too large for a front end is replaced by word of where it is. */
  limited(data: MimeBundle): MimeBundle {
    return this.#rest.ofBundle(data);
  }

  /** Route process.stdout and process.stderr here; what native code writes to the descriptors goes its own way. */
  capture(): void {
    for (const name of ['stdout', 'stderr'] as const) {
      const decoder = new StringDecoder('utf8');
      process[name].write = (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
        const isText = typeof chunk === 'string' && (typeof encoding !== 'string' || /^utf-?8$/i.test(encoding));
        const bytes = () => (typeof chunk === 'string' ? Buffer.from(chunk, encoding as BufferEncoding) : Buffer.from(chunk));
        this.print(name, isText ? chunk : decoder.write(bytes()));
        const done = typeof encoding === 'function' ? encoding : callback;
        if (typeof done === 'function') process.nextTick(done as () => void);
        return true;
      };
      // Child processes share the descriptor, and later cells the stream: it stays open, as a terminal does.
      const end = (...args: unknown[]) => {
        const callback = typeof args.at(-1) === 'function' ? args.pop() : undefined;
        if (args[0] !== undefined) process[name].write(args[0] as string, args[1] as BufferEncoding);
        if (callback) process.nextTick(callback as () => void);
        return process[name];
      };
      Object.defineProperty(process[name], 'end', { value: end, configurable: true, writable: true });
    }
    // As in a terminal; Node does nothing where there is none.
    console.clear = () => this.clear(false);
  }

  #flush(): void {
    own.clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#size === 0) return;
    const text = this.#pieces.join('');
    this.#pieces = [];
    this.#size = 0;
    if (this.#interrupted()) Atomics.wait(pause, 0, 0, BRAKE);
    write({ type: 'stream', cell: this.#cell, name: this.#name, text });
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));
// A cell that replaces these (a test's clock does) must not silence itself.
const { stringify } = JSON;
const clock = performance.now.bind(performance);

function write(event: FromExecutor): void {
  const bytes = Buffer.from(`${stringify(event)}\n`);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(EVENTS_FD, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') return;
      // Without this pipe nobody would ever hear of this process again.
      if (code === 'EBADF') process.kill(process.pid, 'SIGKILL');
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}
