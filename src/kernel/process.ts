import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { fileURLToPath } from 'node:url';
import { Allowance } from './allowance.js';
import { ANSWER_FD, type Answer, EVENTS_FD, type FromExecutor, INTERRUPT_FD, type ToExecutor } from './channel.js';

/** How the executor process ended. */
export interface Death {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The cell's own `process.exit()` (or the end of the process by Node itself). */
  onPurpose: boolean;
  /** V8 or native code gave up for lack of memory. */
  outOfMemory: boolean;
}

export interface ExecutorListener {
  onEvent(event: FromExecutor): void;
  /** Text written past our stream capture: native code, child processes, V8's last words. */
  onRaw(name: 'stdout' | 'stderr', text: string): void;
  /** The process ended by itself; every pending request was rejected with an {@link ExecutorDied}. */
  onDeath(death: Death): void;
  /** Whether nothing more is to be read from the process for now. */
  congested(): boolean;
}

/** A request's rejection when the executor ended before it answered. */
export class ExecutorDied extends Error {
  constructor(readonly death: Death) {
    super('the executor process ended');
  }
}

/** A request as its caller writes it: the id is added here. */
export type Request = ToExecutor extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

/** Milliseconds that the pipes of a process that has ended are read on: a grandchild may hold stdout and stderr for ever. */
const LAST_WORDS = 300;
const LAST_EVENTS = 30_000;

const CONTEXT_FRAME = '--experimental-async-context-frame';

function flags(): string[] {
  return [
    '--disable-warning=ExperimentalWarning',
    // Code that is stopped by force leaves Node's stack of asynchronous contexts behind; checked, that would end the process.
    '--no-force-async-hooks-checks',
    // AsyncLocalStorage without hooks, as in later versions: with hooks that would end the process all the same.
    ...(process.versions.node.startsWith('22.')
      ? [CONTEXT_FRAME].filter(each => process.allowedNodeEnvironmentFlags.has(each))
      : []),
    // The compiler's code runs a few times only in most sessions: not interpreted, completion takes half the time.
    '--always-sparkplug',
    '--no-lazy-feedback-allocation',
    // A training cell needs more than V8's default heap; tensors live outside it. The user's own setting counts.
    ...(/max[-_]old[-_]space[-_]size/.test(process.env.NODE_OPTIONS ?? '') ? [] : ['--max-old-space-size=4096']),
  ];
}

/** The child process that runs the cells: started, asked, interrupted, replaced when it dies. */
export class Executor {
  readonly #listener: ExecutorListener;
  readonly #pending = new Map<number, { message: ToExecutor; resolve(value: unknown): void; reject(error: Error): void }>();
  #child: ChildProcess | undefined;
  #allowance: Allowance = new Allowance();
  #nextId = 1;

  constructor(listener: ExecutorListener) {
    this.#listener = listener;
  }

  /** Start the process. It loads the TypeScript service at once; requests wait in its channel until it is ready. */
  start(): void {
    const child = spawn(process.execPath, [...flags(), fileURLToPath(new URL('./executor.js', import.meta.url))], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe', 'pipe', 'pipe'],
      env: { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env },
    });
    this.#child = child;
    let exitCode: number | undefined;
    let lastWords = '';
    const order = new Order((name, text) => this.#listener.onRaw(name, text));
    const allowance = new Allowance(() => this.#listener.congested());
    this.#allowance = allowance;

    const onEvent = (event: FromExecutor) => {
      if (event.type === 'exit') exitCode = event.code;
      else if (event.type === 'beforeRaw') (pipe(child, INTERRUPT_FD) as Writable).write(`passed ${event.number}\n`);
      else if (event.type === 'forced') this.#askAgain(child);
      else if (event.type === 'reply') {
        if (this.#pending.get(event.id)?.message.type === 'execute') allowance.refill();
        this.#settle(event.id, event.value);
      } else this.#listener.onEvent(event);
    };
    const events = pipe(child, EVENTS_FD) as Readable;
    readLines(events, line => {
      const event = parse(line);
      if (!event) return;
      if (event.type !== 'reply') allowance.spend(event.type === 'stream' ? line.length : 0);
      const ends = event.type === 'reply' && this.#pending.get(event.id)?.message.type === 'execute';
      order.event(() => onEvent(event), ends || event.type === 'afterRaw');
    });
    allowance.pace(events);
    for (const name of ['stdout', 'stderr'] as const) {
      const decoder = new StringDecoder('utf8');
      const stream = child[name]!;
      stream.on('data', (chunk: Buffer) => {
        const text = decoder.write(chunk);
        if (name === 'stderr') lastWords = (lastWords + text).slice(-20_000);
        allowance.spend(chunk.length);
        if (text) order.raw(name, text);
      });
      stream.on('error', () => {});
      allowance.pace(stream);
    }
    for (const fd of [INTERRUPT_FD, ANSWER_FD]) pipe(child, fd)?.on('error', () => {});

    const gone = once((code: number | null, signal: NodeJS.Signals | null) => {
      order.finish();
      if (this.#child !== child) return;
      this.#child = undefined;
      const death: Death = { code, signal, onPurpose: exitCode !== undefined, outOfMemory: oom(lastWords) };
      for (const { reject } of this.#pending.values()) reject(new ExecutorDied(death));
      this.#pending.clear();
      this.#listener.onDeath(death);
    });
    // A process that could not be started has no end.
    child.on('error', () => child.pid === undefined && gone(null, null));
    // Without its channel the process is of no use, and may go on for ever.
    child.on('disconnect', () => setTimeout(() => child.kill('SIGKILL'), LAST_WORDS).unref());
    child.on('exit', (code, signal) => {
      allowance.lift();
      const end = () => gone(code, signal);
      // 'close' comes when all pipes are read to their end, which a grandchild may put off; the events end with the process.
      child.on('close', end);
      const afterEvents = () => setTimeout(end, LAST_WORDS);
      if (events.readableEnded) afterEvents();
      else events.once('end', afterEvents);
      setTimeout(end, LAST_EVENTS).unref();
    });
  }

  /** Whether there is a process, be it one that is still starting. */
  get alive(): boolean {
    return this.#child !== undefined;
  }

  /** Ask the executor; resolves with its answer. */
  request(message: Request): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (!this.#child) {
        reject(new ExecutorDied({ code: null, signal: null, onPurpose: false, outOfMemory: false }));
        return;
      }
      const request = { ...message, id } as ToExecutor;
      this.#pending.set(id, { message: request, resolve, reject });
      // The cells have closed the channel (process.disconnect): the end of the process, which comes, answers.
      if (!this.#child.connected) return;
      this.#child.send(request, error => {
        // When the process has died meanwhile, its exit rejects the request with the reason.
        if (error && !this.#child) reject(error);
      });
    });
  }

  /** Interrupt the cell with this serial number, which may still be on its way; with 0, what earlier cells left running. */
  interrupt(cell: number): void {
    this.#allowance.lift();
    if (this.#child) (pipe(this.#child, INTERRUPT_FD) as Writable | undefined)?.write(`interrupt ${cell}\n`);
  }

  /** Tell the cell that waits in `prompt()`. */
  answer(answer: Answer): void {
    if (this.#child) (pipe(this.#child, ANSWER_FD) as Writable | undefined)?.write(`${JSON.stringify(answer)}\n`);
  }

  /** End the process: it is asked to go, then made to. */
  async stop(patience = 300): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>(resolve => child.once('exit', () => resolve()));
    if (child.connected) child.send({ id: 0, type: 'shutdown' } satisfies ToExecutor, () => {});
    const timer = setTimeout(() => child.kill('SIGKILL'), patience);
    await gone;
    clearTimeout(timer);
  }

  /** Requests that a forced stop may have swallowed; the executor knows those it has. */
  #askAgain(child: ChildProcess): void {
    if (this.#child !== child || !child.connected) return;
    for (const { message } of this.#pending.values()) child.send(message, () => {});
  }

  #settle(id: number, value: unknown): void {
    this.#pending.get(id)?.resolve(value);
    this.#pending.delete(id);
  }
}

/** Node's types know five descriptors. */
function pipe(child: ChildProcess, fd: number): Readable | Writable | undefined {
  return (child.stdio as (Readable | Writable | undefined)[])[fd];
}

function oom(text: string): boolean {
  return /heap out of memory|Allocation failed|std::bad_alloc|Cannot allocate memory/.test(text);
}

function parse(line: string): FromExecutor | undefined {
  try {
    return JSON.parse(line) as FromExecutor;
  } catch {
    // The last line of a process that died while it wrote.
    return undefined;
  }
}

function once<A extends unknown[]>(action: (...args: A) => void): (...args: A) => void {
  let done = false;
  return (...args) => {
    if (done) return;
    done = true;
    action(...args);
  };
}

/**
 * Puts what comes through several pipes into the order in which it was written, as far as that can be told: what is readable
 * in one turn of the event loop was written before the events read in it that say so.
 */
class Order {
  readonly #onRaw: (name: 'stdout' | 'stderr', text: string) => void;
  #raw: { name: 'stdout' | 'stderr'; text: string }[] = [];
  /** What waits for the end of the turn; undefined when nothing does. */
  #waiting: (() => void)[] | undefined;
  #scheduled = false;

  constructor(onRaw: (name: 'stdout' | 'stderr', text: string) => void) {
    this.#onRaw = onRaw;
  }

  raw(name: 'stdout' | 'stderr', text: string): void {
    const last = this.#raw.at(-1);
    if (last?.name === name) last.text += text;
    else this.#raw.push({ name, text });
    this.#schedule();
  }

  /** @param afterRaw what other processes and native code wrote so far comes first. */
  event(handle: () => void, afterRaw: boolean): void {
    if (!this.#waiting && !afterRaw) {
      handle();
      return;
    }
    this.#waiting ??= [];
    this.#waiting.push(handle);
    this.#schedule();
  }

  finish(): void {
    const raw = this.#raw;
    const waiting = this.#waiting ?? [];
    this.#raw = [];
    this.#waiting = undefined;
    for (const { name, text } of raw) this.#onRaw(name, text);
    for (const handle of waiting) handle();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.finish();
    });
  }
}

function readLines(stream: Readable, onLine: (line: string) => void): void {
  // Pieces are joined once per line: a 50 MB output arrives in thousands of chunks.
  let pieces: string[] = [];
  const decoder = new StringDecoder('utf8');
  stream.on('data', (chunk: Buffer) => {
    const lines = decoder.write(chunk).split('\n');
    for (let i = 0; i < lines.length - 1; i++) {
      pieces.push(lines[i]!);
      onLine(pieces.join(''));
      pieces = [];
    }
    pieces.push(lines.at(-1)!);
  });
  stream.on('error', () => {});
}
