import { mkdir, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { alpacaLike } from './alpaca-like.mjs';
import { builtDist } from './built.mjs';
import { multiply } from './encode-rows.mjs';
import { spread, table } from './numbers.mjs';
import { peerPython, root, worker } from './peer.mjs';
import { options } from './usage.mjs';

/** Render, tokenise, mask and verify 50,000 rows beside TRL's data set preparation, in processes of their own, in turns. */
export async function benchEncode(args) {
  const { values, number } = options(args, {
    data: { type: 'string' },
    rows: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '3' },
    workers: { type: 'string', default: '2' },
    tokenizer: { type: 'string' },
    python: { type: 'string' },
    'no-peer': { type: 'boolean', default: false },
    json: { type: 'string' },
    dist: { type: 'string' },
  });
  const [count, rounds, workers] = [number('rows'), number('rounds'), number('workers')];
  const python = values['no-peer'] ? undefined : peerPython(values.python);
  const dist = builtDist(values.dist);
  const work = join(root, '.cache', `bench-encode-${process.pid}`);
  await mkdir(work, { recursive: true });
  try {
    const job = await prepare(work, dist, { ...values, count });
    const sides = {
      ours: [process.execPath, 'encode-ours.mjs', job],
      workers: [process.execPath, 'encode-ours.mjs', { ...job, workers }],
      ...(python ? { trl: [python, 'encode_trl.py', job] } : {}),
    };
    const results = Object.fromEntries(Object.keys(sides).map(side => [side, []]));
    for (let round = 0; round < rounds; round++) {
      // Alternately first, so that a drift of the machine favours neither.
      const order = round % 2 ? Object.keys(sides).reverse() : Object.keys(sides);
      for (const side of order) {
        const [program, script, own] = sides[side];
        const file = join(work, `${side}.json`);
        await writeFile(file, JSON.stringify(own));
        const result = await worker(program, [join(root, 'bench', script), file]);
        results[side].push(result);
        console.error(`round ${round + 1}/${rounds} ${side}: ${(result.rows / result.seconds).toFixed(0)} rows/s`);
      }
    }
    console.log(report(results, job, workers));
    if (values.json) await writeFile(values.json, JSON.stringify({ job, results }, undefined, 1));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Rows and a tokenizer that both sides read. */
async function prepare(work, dist, { data, count, tokenizer }) {
  const tunebook = join(dist, 'index.js');
  const { data: reading, Random, tokens } = await import(pathToFileURL(tunebook));
  const few = data
    ? (await reading.readRows(resolve(data))).map(({ messages: [user, assistant] }) => ({
        instruction: user.content,
        input: user.input ?? '',
        output: assistant.content,
      }))
    : alpacaLike(Random);
  const rows = multiply(few, count, Random);
  const dir = tokenizer ? resolve(tokenizer) : join(work, 'tokenizer');
  if (!tokenizer) {
    const texts = rows.slice(0, 5000).flatMap(row => [row.instruction, row.input, row.output]);
    await mkdir(dir, { recursive: true });
    await tokens.trainBPE(texts, { vocabSize: 8192 }).save(dir);
  }
  const file = join(work, 'rows.json');
  await writeFile(file, JSON.stringify(rows));
  return { tunebook, tokenizer: dir, rows: file, count, data: data ?? 'generated rows' };
}

function report(results, job, workers) {
  const names = { ours: 'tunebook', workers: `tunebook, ${workers} workers`, trl: results.trl?.[0]?.engine };
  const sides = Object.keys(results);
  const rate = result => result.rows / result.seconds;
  const lines = [
    `${job.count} Alpaca-format rows (${job.data}), ${results.ours[0].tokens} tokens; ${cpus()[0]?.model}, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
    '',
    table([
      ['', 'rows/s', 'seconds', 'peak MB'],
      ...sides.map(side => [
        names[side],
        spread(results[side].map(rate)),
        spread(
          results[side].map(r => r.seconds),
          2,
        ),
        spread(results[side].map(r => r.peakBytes / 1e6)),
      ]),
    ]),
  ];
  for (const side of results.trl ? sides.filter(s => s !== 'trl') : []) {
    const speed = results[side].map((r, i) => rate(r) / rate(results.trl[i]));
    const memory = results[side].map((r, i) => r.peakBytes / results.trl[i].peakBytes);
    lines.push('', `${names[side]} / TRL: ${spread(speed, 2)} × the rows/s, ${spread(memory, 2)} × the peak memory`);
  }
  // Where a template's prompt ends inside a run of text, TRL lets a token reach over the end; ours never does.
  const apart = Math.max(...sides.map(side => Math.abs(results[side][0].tokens / results.ours[0].tokens - 1)));
  const same =
    apart < 1e-3 && sides.every(side => ['rows', 'trained'].every(key => results[side][0][key] === results.ours[0][key]));
  lines.push(
    '',
    same
      ? `same rows and trained tokens; tokens differ by ${(apart * 100).toFixed(4)} % (those over the end of a prompt)`
      : 'THE SIDES DIFFER',
  );
  if (!same) {
    process.exitCode = 1;
    for (const side of sides) lines.push(`${side}: ${JSON.stringify(results[side][0])}`);
  }
  return lines.join('\n');
}
