// Worker: node display-ours.mjs job.json, forked with an IPC channel. One training run, block after block with its live chart and
// without; every message goes to the parent, as an executor's go to its kernel. Prints one line of JSON.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const job = JSON.parse(await readFile(process.argv[2], 'utf8'));
const { backend, models, show, train } = await import(pathToFileURL(job.tunebook));
const updates = { count: 0, bytes: 0, pngs: 0 };
// The host that the tunebook kernel installs in its executor.
globalThis[Symbol.for('tunebook.host')] = {
  name: 'bench',
  signal: undefined,
  display(data, { displayId, update = false } = {}) {
    const text = JSON.stringify({ type: 'display', data, metadata: {}, displayId, update });
    process.send(text);
    if (data['image/png']) updates.pngs++;
    updates.count++;
    updates.bytes += text.length;
  },
  clear() {},
  shield: section => section(),
};

const info = await backend.use(job.backend);
const model = models.init(job.shape, { seed: 1 });
const run = train.sft({
  model,
  rows: job.rows,
  batchSize: job.batch,
  steps: job.steps,
  shuffle: false,
  optimizer: train.adamw({ learningRate: 1e-4 }),
});
const steps = run[Symbol.asyncIterator]();
for (let i = 0; i < job.warm; i++) await steps.next();

/** A block of steps: milliseconds a step, and what the chart cost apart from them. */
async function block(shown) {
  const before = { ...updates };
  const view = shown ? show.live(run) : undefined;
  // The step after a change of scene is not counted: garbage of the last block, first call of new code.
  await steps.next();
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < job.block; i++) await steps.next();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const during = Object.fromEntries(Object.keys(updates).map(key => [key, updates[key] - before[key]]));
  // The last state with its PNG comes once a run and is no part of its speed.
  const end = performance.now();
  await view?.stop();
  const last = performance.now() - end;
  await sleep(50);
  return { ms: (seconds * 1000) / job.block, cpu: (user + system) / 1000 / job.block, seconds, last, ...during };
}

const pairs = [];
for (let i = 0; i < job.pairs; i++) {
  const pair = {};
  for (const side of i % 2 ? ['shown', 'plain'] : ['plain', 'shown']) pair[side] = await block(side === 'shown');
  pairs.push(pair);
}

// What one update costs by itself, beside which the machine's noise is small.
const drawing = [];
for (let i = 0; i < 50; i++) {
  const start = performance.now();
  JSON.stringify(show.lossCurve(run.history, { maxPoints: 300, total: job.steps }).quickBundle());
  drawing.push(performance.now() - start);
}
console.log(JSON.stringify({ engine: `${info.name} ${info.version ?? ''}`.trim(), pairs, drawing }));
model.dispose();
await backend.dispose();
process.disconnect();
