import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { fileURLToPath } from 'node:url';
import { EVENTS_FD, type FromExecutor, INTERRUPT_FD, type ToExecutor } from './channel.js';

/** How the executor process ended. */
export interface Death {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The cell's own `process.exit()` (or the end of the process by Node itself). */
  onPurpose: boolean;
  /** V8 gave up for lack of heap. */
  outOfMemory: boolean;
}

export interface ExecutorListener {
  onEvent(event: FromExecutor): void;
  /** Text written past our stream capture: native code, child processes, V8's last words. */
  onRaw(name: 'stdout' | 'stderr', text: string): void;
  /** The process ended by itself; every pending request was rejected with an {@link ExecutorDied}. */
  onDeath(death: Death): void;
}

/** A request's rejection when the executor ended before it answered. */
export class ExecutorDied extends Error {
  constructor(readonly death: Death) {
    super('the executor process ended');
  }
}

/** A request as its caller writes it: the id is added here. */
export type Request = ToExecutor extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

// A training cell needs more than V8's default heap; tensors live outside it.
const FLAGS = ['--max-old-space-size=4096', '--disable-warning=ExperimentalWarning'];

/** The child process that runs the cells: started, asked, interrupted, replaced when it dies. */
export class Executor {
  readonly #listener: ExecutorListener;
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #child: ChildProcess | undefined;
  #nextId = 1;

  constructor(listener: ExecutorListener) {
    this.#listener = listener;
  }

  /** Start the process. It loads the TypeScript service at once; requests wait in its channel until it is ready. */
  start(): void {
    const child = spawn(process.execPath, [...FLAGS, fileURLToPath(new URL('./executor.js', import.meta.url))], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe', 'pipe'],
      env: { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env },
    });
    this.#child = child;
    let exitCode: number | undefined;
    let lastWords = '';
    const onLine = (line: string) => {
      const event = JSON.parse(line) as FromExecutor;
      if (event.type === 'exit') exitCode = event.code;
      else if (event.type === 'reply') this.#settle(event.id, event.value);
      else this.#listener.onEvent(event);
    };
    readLines(pipe(child, EVENTS_FD) as Readable, onLine);
    for (const name of ['stdout', 'stderr'] as const) {
      const decoder = new StringDecoder('utf8');
      child[name]?.on('data', (chunk: Buffer) => {
        const text = decoder.write(chunk);
        if (name === 'stderr') lastWords = (lastWords + text).slice(-20_000);
        if (text) this.#listener.onRaw(name, text);
      });
    }
    pipe(child, INTERRUPT_FD)?.on('error', () => {});
    child.on('error', () => {});
    child.on('exit', (code, signal) => {
      const end = once(() => {
        if (this.#child !== child) return;
        this.#child = undefined;
        const death: Death = { code, signal, onPurpose: exitCode !== undefined, outOfMemory: oom(lastWords) };
        for (const { reject } of this.#pending.values()) reject(new ExecutorDied(death));
        this.#pending.clear();
        this.#listener.onDeath(death);
      });
      // 'close' comes when the pipes are read to their end; a grandchild that holds them must not keep us waiting.
      child.on('close', end);
      setTimeout(end, 300);
    });
  }

  /** Ask the executor; resolves with its answer. */
  request(message: Request): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (!this.#child?.connected) {
        reject(new ExecutorDied({ code: null, signal: null, onPurpose: false, outOfMemory: false }));
        return;
      }
      this.#pending.set(id, { resolve, reject });
      this.#child.send({ ...message, id } as ToExecutor, error => {
        // When the process has died meanwhile, its exit rejects the request with the reason.
        if (error && !this.#child) reject(error);
      });
    });
  }

  /** Interrupt the running cell, if one runs. */
  interrupt(): void {
    if (this.#child) (pipe(this.#child, INTERRUPT_FD) as Writable | undefined)?.write('interrupt\n');
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
  return /heap out of memory|Allocation failed/.test(text);
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
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
