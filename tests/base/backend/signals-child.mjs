// node signals-child.mjs <dist>: computes, while the test sends it signals, the product whose stack lies on the heap.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';

const { native, use } = await import(pathToFileURL(join(process.argv[2], 'base', 'backend', 'index.js')).href);
await use('native');
let heard = 0;
process.on('SIGWINCH', () => heard++);
const { attr, execute } = native();
const attrs = [attr.bool('transpose_a', false), attr.bool('transpose_b', true), attr.type('T', 'float32')];
const [x, w] = [tf.ones([451, 192]), tf.ones([96, 192])];
process.stdout.write('begun\n');
let wrong = 0;
for (let i = 0; i < 2000 || heard < 20; i++) {
  const [y, again] = [execute('MatMul', attrs, [x, w]), execute('MatMul', attrs, [x, w])];
  if (i % 100 === 0) wrong += Number(again.dataSync()[7] !== 192);
  tf.dispose([y, again]);
  if (i % 20 === 0) await new Promise(resolve => setImmediate(resolve));
}
const blocked = path => BigInt(`0x${/^SigBlk:\s*(\w+)/m.exec(readFileSync(path, 'utf8'))[1]}`);
// The thread that sleeps keeps every signal out while it is in the handler of one: it is asked until it sleeps.
let threads = [];
for (let tries = 0; tries < 10_000 && !threads.includes('0'); tries++)
  threads = readdirSync('/proc/self/task').map(id => String(blocked(`/proc/self/task/${id}/status`)));
const child = spawnSync('grep', ['SigBlk', '/proc/self/status'], { encoding: 'utf8' }).stdout;
const main = String(blocked('/proc/self/task/' + process.pid + '/status'));
process.stdout.write(JSON.stringify({ heard, wrong, main, threads, child }));
