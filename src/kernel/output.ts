import { writeSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import type { MimeBundle } from '../base/core/index.js';
import { EVENTS_FD, type FromExecutor } from './channel.js';
import { own } from './timers.js';

/** Milliseconds that printed text may wait for more. */
const LATEST = 50;
const LARGEST = 1 << 16;
/** This many prints in that time go at once: a line before a long computation must not wait for its end. */
const AT_ONCE = 16;

/**
 * What the executor says to the protocol process, in order. Writes are synchronous: what a cell printed has arrived when the
 * process crashes in its next line, and a cell that prints without end is slowed down instead of filling memory.
 */
export class Output {
  #name: 'stdout' | 'stderr' = 'stdout';
  #pieces: string[] = [];
  #size = 0;
  #windowStart = 0;
  #printed = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Send an event, after the text printed before it. */
  send(event: FromExecutor): void {
    this.flush();
    write(event);
  }

  /** Print: collected for a moment, since a message per line would drown the front end. */
  print(name: 'stdout' | 'stderr', text: string): void {
    if (text === '') return;
    if (name !== this.#name) this.flush();
    this.#name = name;
    this.#pieces.push(text);
    this.#size += text.length;
    // A synchronous loop never lets the timer fire, so the clock is asked here, too.
    const now = performance.now();
    const newWindow = now - this.#windowStart >= LATEST;
    if (newWindow) {
      this.#windowStart = now;
      this.#printed = 0;
    }
    if (newWindow || ++this.#printed < AT_ONCE || this.#size >= LARGEST) this.flush();
    else this.#timer ??= own.setTimeout(() => this.flush(), LATEST);
  }

  flush(): void {
    own.clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#size === 0) return;
    const text = this.#pieces.join('');
    this.#pieces = [];
    this.#size = 0;
    write({ type: 'stream', name: this.#name, text });
  }

  display(data: MimeBundle, options: { displayId?: string; update?: boolean; metadata?: Record<string, unknown> } = {}): void {
    const { displayId, update = false, metadata = {} } = options;
    this.send({ type: 'display', data, metadata, displayId, update });
  }

  /** Route process.stdout and process.stderr here; what native code writes to the descriptors goes its own way. */
  capture(): void {
    for (const name of ['stdout', 'stderr'] as const) {
      const decoder = new StringDecoder('utf8');
      process[name].write = (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
        this.print(name, typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk)));
        const done = typeof encoding === 'function' ? encoding : callback;
        if (typeof done === 'function') process.nextTick(done as () => void);
        return true;
      };
    }
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));

function write(event: FromExecutor): void {
  const bytes = Buffer.from(`${JSON.stringify(event)}\n`);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(EVENTS_FD, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}
