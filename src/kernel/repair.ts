import { createRequire } from 'node:module';

/** The part of tfjs-core's engine (`globalThis._tfengine`, version 4) that a cut computation leaves wrong. */
interface Engine {
  state: {
    scopeStack: unknown[];
    kernelDepth: number;
    gradientDepth: number;
    numDataMovesStack: unknown[];
    activeTape: unknown;
  };
  /** Disposes what the scope made, as the end of `tf.tidy` does. */
  endScope(): void;
}

const require = createRequire(import.meta.url);

/**
 * A forced stop runs no `finally` block. Put right what later cells would stumble over: tfjs's scopes (every later gradient
 * would throw) and modules of CommonJS that are half loaded (every later `require` would get half of their exports).
 * To be called from the event loop: then no synchronous code is under way.
 */
export class Repair {
  #scopes = 0;

  /** A cell starts: the scopes that are open now are meant to be. */
  begin(): void {
    this.#scopes = engine()?.state.scopeStack.length ?? 0;
  }

  run(): void {
    const tf = engine();
    if (tf) {
      while (tf.state.scopeStack.length > this.#scopes) tf.endScope();
      Object.assign(tf.state, { kernelDepth: 0, gradientDepth: 0, activeTape: null, numDataMovesStack: [] });
    }
    for (const [path, module] of Object.entries(require.cache)) if (module && !module.loaded) delete require.cache[path];
  }
}

function engine(): Engine | undefined {
  return (globalThis as { _tfengine?: Engine })._tfengine;
}
