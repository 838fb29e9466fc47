import { createHook } from 'node:async_hooks';

interface Hook {
  enable(): this;
  disable(): this;
}

/**
 * Tell whether any of Node's asynchronous hooks is on: a library's, or those of AsyncLocalStorage where it has no frames of its own.
 * With hooks on, Node counts the contexts it is in, and ends the process when code that was stopped by force has left it in one.
 */
export function watchHooks(onChange: (active: boolean) => void): void {
  const prototype = Object.getPrototypeOf(createHook({})) as Hook;
  const active = new Set<Hook>();
  const { enable, disable } = prototype;
  prototype.enable = function (this: Hook) {
    active.add(this);
    onChange(true);
    return enable.call(this);
  };
  prototype.disable = function (this: Hook) {
    const result = disable.call(this);
    active.delete(this);
    onChange(active.size > 0);
    return result;
  };
}
