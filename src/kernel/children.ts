import type { ChildProcess } from 'node:child_process';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import type { Interrupts } from './interrupt.js';
import type { Output } from './output.js';

const require = createRequire(import.meta.url);
type AnyFunction = (...args: unknown[]) => unknown;

interface Running {
  owner: number;
  child: ChildProcess;
  /** In a process group of its own: the cell's author wants it to outlive the notebook. */
  detached: boolean;
}

/** The child processes that cells start: an interrupt reaches those of the interrupted cell, as it would from a terminal. */
export class Children {
  readonly #running = new Set<Running>();
  readonly #owner: () => number;

  /** @param owner the cell whose code is running */
  constructor(owner: () => number) {
    this.#owner = owner;
  }

  /** Replace what starts child processes. */
  install(interrupts: Interrupts, output: Output): void {
    const module = require('node:child_process') as Record<string, AnyFunction>;
    for (const name of ['spawnSync', 'execSync', 'execFileSync']) {
      const native = module[name]!;
      module[name] = (...args) => {
        // What was printed before comes before what the child prints, and after that what is printed then.
        interrupts.whenPassed(output.beforeChild());
        try {
          return interrupts.inChild(this.#pids(), () => native(...args));
        } finally {
          output.afterChild();
        }
      };
    }
    syncBuiltinESMExports();
    const { prototype } = (module as unknown as { ChildProcess: { prototype: { spawn: AnyFunction } } }).ChildProcess;
    const spawn = prototype.spawn;
    const start = (child: ChildProcess, options: unknown) => {
      const running = {
        owner: this.#owner(),
        child,
        detached: (options as { detached?: boolean } | undefined)?.detached === true,
      };
      this.#running.add(running);
      child.once('exit', () => {
        this.#running.delete(running);
        output.afterChild();
      });
      child.once('error', () => this.#running.delete(running));
    };
    prototype.spawn = function (this: ChildProcess, ...args: unknown[]) {
      start(this, args[0]);
      return spawn.apply(this, args);
    };
  }

  /** Interrupt what a cell started and what still runs. */
  interrupt(owner: number): void {
    for (const running of this.#running) if (running.owner === owner && !running.detached) running.child.kill('SIGINT');
  }

  #pids(): number[] {
    return [...this.#running].map(({ child }) => child.pid).filter(pid => pid !== undefined);
  }
}
