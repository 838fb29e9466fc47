import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './peer.mjs';

/** Renderings of each chart; the first loads the libraries. */
const TIMES = 6;

/**
 * Cells that draw a training chart of 10,000 steps as a PNG and print what each drawing took: once as users get it (thinned to the
 * 1,000 points that keep its shape), once with every point. In the TypeScript kernels it is our own chart, so that what differs is
 * the kernel; ipykernel has matplotlib's, where its Python has that.
 */
export function chartCells(kernel, { dist, matplotlib }) {
  if (kernel === 'ipykernel') return matplotlib ? [{ name: 'points', code: MATPLOTLIB }] : [];
  const from = showModule(kernel, dist);
  return [
    { name: 'chart', code: drawing(from, '') },
    { name: 'points', code: drawing(from, ', { maxPoints: 10_000 }') },
  ];
}

/** What a cell of a kernel imports our figures by, as a string literal. */
export function showModule(kernel, dist) {
  const file = join(dist, 'show', 'index.js');
  // Our kernel finds the package by its name, as a user writes it (and would look through all that a file beside the notebook imports,
  // to see it change). Deno wants a URL; tslab makes a require() of an import and wants a path.
  const own = kernel === 'tunebook' && dist === join(root, 'dist');
  return JSON.stringify(own ? 'tunebook/show' : kernel === 'deno' ? pathToFileURL(file).href : file);
}

const drawing = (from, options) => `{
  const start = performance.now();
  const { lossCurve, renderPng } = await import(${from});
  const loss = Array.from({ length: 10_000 }, (_, i) => 4 * Math.exp(-i / 3000) + 0.2 * Math.sin(12.9898 * i * i));
  for (let i = 0, last = start; i < ${TIMES}; i++) {
    await renderPng(lossCurve({ loss }${options}));
    const now = performance.now();
    console.log('ms: ' + (now - last).toFixed(1));
    last = now;
  }
}`;

const MATPLOTLIB = `
import io, math, time
start = time.perf_counter()
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
loss = [4 * math.exp(-i / 3000) + 0.2 * math.sin(12.9898 * i * i) for i in range(10_000)]
for _ in range(${TIMES}):
    figure, axes = plt.subplots(figsize=(6.5, 3.5), dpi=200)
    axes.plot(loss)
    figure.savefig(io.BytesIO(), format="png")
    plt.close(figure)
    now = time.perf_counter()
    print(f"ms: {(now - start) * 1000:.1f}")
    start = now
`;
