import { createRequire } from 'node:module';
import type * as Tf from '@tensorflow/tfjs-core';

const require = createRequire(import.meta.url);

/** The one tfjs-core of this process. Loaded here, lazily, so that importing the room costs nothing. */
export function tfjs(): typeof Tf {
  return require('@tensorflow/tfjs-core') as typeof Tf;
}

let registered = false;

/**
 * Register every gradient with tfjs-core, which alone has none ("gradient function not found"). Its own
 * `dist/register_all_gradients` is an ES module beside a CommonJS main, so loading it would make a second copy of
 * tfjs-core; the smallest package that registers them on the first copy is tfjs-layers (22 ms).
 */
export function registerGradients(): void {
  if (registered) return;
  require('@tensorflow/tfjs-layers');
  registered = true;
}
