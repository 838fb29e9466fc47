import { Unavailable } from '../core/index.js';
import { tfjs } from './gradients.js';

// a · b and d(Σ (a·b)²)/da = 2 (a·b) bᵀ, by hand.
const A = [1, 2, 3, 4, 5, 6];
const B = [0.5, -1, 2, 0.25, -0.5, 1];
const PRODUCT = [3, 2.5, 9, 3.25];
const GRADIENT = [-2, 13.25, 2, 2.5, 37.625, -2.5];

/**
 * The check behind "works": a matrix product and its gradient on the active tfjs backend against numbers worked out by hand.
 * Throws `Unavailable` when they differ. Leaves no tensor behind.
 */
export async function smoke(name: string): Promise<void> {
  const tf = tfjs();
  const results = tf.tidy(() => {
    const a = tf.tensor2d(A, [2, 3]);
    const b = tf.tensor2d(B, [3, 2]);
    return [tf.matMul(a, b), tf.grad((x: InstanceType<typeof tf.Tensor>) => tf.sum(tf.square(tf.matMul(x as typeof a, b))))(a)];
  });
  try {
    // data(), not dataSync(): WebGPU cannot read synchronously.
    const [product, gradient] = await Promise.all(results.map(t => t.data()));
    compare(name, 'a matrix product', product!, PRODUCT);
    compare(name, 'a gradient', gradient!, GRADIENT);
  } finally {
    for (const t of results) t.dispose();
  }
}

function compare(name: string, what: string, found: ArrayLike<number>, expected: readonly number[]): void {
  if (found.length === expected.length && expected.every((v, i) => Math.abs(found[i]! - v) <= 1e-4)) return;
  throw new Unavailable({
    problem: `the ${name} backend computes ${what} wrongly`,
    expected: JSON.stringify(expected),
    found: JSON.stringify(Array.from(found)),
    fix: `use another backend (TUNEBOOK_BACKEND=wasm), and reinstall this one with "tunebook backend install ${name}"`,
  });
}
