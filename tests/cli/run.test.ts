import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VENV_PYTHON } from '../../setup/paths.mjs';
import { ensureBuilt } from '../helpers/built.js';

const ROOT = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'tunebook-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  await ensureBuilt();
  if (!existsSync(VENV_PYTHON)) throw new Error('.venv is missing: "npm run setup" makes it');
});

// Jupyter's own Python kernel (in .venv): how a run is driven does not depend on the language of its cells, and it starts fast.
function notebook(name: string, cells: string[]): string {
  const path = join(folder, `${name}.ipynb`);
  const document = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: 'python3', display_name: 'Python', language: 'python' } },
    cells: cells.map((source, i) =>
      source.startsWith('#')
        ? { id: `c${i}`, cell_type: 'markdown', metadata: {}, source }
        : { id: `c${i}`, cell_type: 'code', metadata: {}, source, outputs: [], execution_count: null },
    ),
  };
  writeFileSync(path, JSON.stringify(document));
  return path;
}

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

function run(args: string[], onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void): Promise<Ended> {
  return new Promise(done => {
    const child = spawn(process.execPath, [join(ROOT, 'dist/cli/main.js'), 'run', ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', chunk => {
      out += chunk;
      onOutput?.(out, signal => child.kill(signal));
    });
    child.stderr.on('data', chunk => {
      err += chunk;
    });
    child.on('close', code => done({ code, out, err }));
  });
}

const outputOf = (path: string, cell: number) => {
  const { outputs } = JSON.parse(readFileSync(path, 'utf8')).cells[cell];
  for (const output of outputs) if (Array.isArray(output.text)) output.text = output.text.join('');
  return outputs;
};

describe('tunebook run', () => {
  it('executes a notebook, follows its progress, and prints the figures it published', async () => {
    const source = notebook('good', [
      '# The story',
      "print('begin')",
      '## Training',
      `import json, os
event = dict(id=1, label='training', done=60, total=60, unit='steps', note='loss 1.2', elapsed=12.0, finished=True)
open(os.environ['TUNEBOOK_PROGRESS'], 'a').write(json.dumps(event) + '\\n')
assert os.environ['TUNEBOOK_DATA'].endswith('rows.jsonl') and os.environ['TUNEBOOK_STEPS'] == '60' and os.environ['TUNEBOOK_BACKEND'] == 'wasm'
assert os.environ['JUPYTER_DATA_DIR'] != os.path.expanduser('~/.local/share/jupyter')
json.dump(dict(backend='wasm', heldOutBefore=0, heldOutAfter=0.79, baseLossBefore=1.61, baseLossAfter=2.37), open(os.environ['TUNEBOOK_RESULT'], 'w'))
import time; time.sleep(1)`,
    ]);
    const rows = join(folder, 'rows.jsonl');
    writeFileSync(
      rows,
      '{"instruction":"Say hi.","output":"hi"}\n{"instruction":"Say nothing.","output":""}\n{"instruction":"Say ho.","output":"ho"}\n',
    );
    const { code, out, err } = await run([
      source,
      '--data',
      rows,
      '--steps',
      '60',
      '--backend',
      'wasm',
      '--out',
      join(folder, 'good-run'),
    ]);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toContain('2 of 3 rows');
    expect(out).toContain('left out: line 2');
    expect(out).toContain('cell 2/2  Training');
    expect(out).toContain('training [####################] 100 % 60/60 steps');
    expect(out).toMatch(
      /backend used +wasm\n +held-out accuracy +0\.00 → 0\.79\n +loss on base text +1\.61 → 2\.37 \(forgot 0\.76 nats a token\)\n/,
    );
    expect(outputOf(join(folder, 'good-run/good.ipynb'), 1)[0].text).toContain('begin');
    expect(readFileSync(join(folder, 'good-run/good.html'), 'utf8')).toContain('begin');
  });

  it('fails with the cell, its source and the error, and keeps what was computed', async () => {
    const { code, err } = await run([
      notebook('bad', ["print('first')", "x = 1\nraise ValueError('no luck')", '3']),
      '--out',
      join(folder, 'bad-run'),
    ]);
    expect(code).toBe(1);
    expect(err).toContain('Cell 2 failed: ValueError: no luck');
    expect(err).toContain("    raise ValueError('no luck')");
    const cells = join(folder, 'bad-run/bad.ipynb');
    expect(outputOf(cells, 0)[0].text).toContain('first');
    expect(outputOf(cells, 1)[0].ename).toBe('ValueError');
    expect(outputOf(cells, 2)).toEqual([]);
  });

  it('says when the kernel died, and when a cell takes too long', async () => {
    const dead = await run([
      notebook('dead', ["print('last words', flush=True)", 'import os\nos._exit(1)']),
      '--out',
      join(folder, 'dead-run'),
    ]);
    expect(dead.code).toBe(1);
    expect(dead.err).toContain('Cell 2 failed: KernelDied');
    expect(outputOf(join(folder, 'dead-run/dead.ipynb'), 0)[0].text).toContain('last words');
    const slow = await run([
      notebook('slow', ['import time\ntime.sleep(300)']),
      '--timeout',
      '1',
      '--out',
      join(folder, 'slow-run'),
    ]);
    expect(slow.code).toBe(1);
    expect(slow.err).toContain('Cell 1 failed: Timeout: the cell ran longer than 1 s');
  });

  it('stops cleanly on Ctrl-C', async () => {
    const marker = join(folder, 'kernel.pid');
    const source = notebook('long', [
      "print('before')",
      `import os, time\nopen(${JSON.stringify(marker)}, 'w').write(str(os.getpid()))\ntime.sleep(300)`,
    ]);
    let sent = false;
    const { code, err } = await run([source, '--out', join(folder, 'long-run')], (text, kill) => {
      if (sent || !text.includes('cell 2/2')) return;
      sent = true;
      const wait = setInterval(() => {
        if (!existsSync(marker)) return;
        clearInterval(wait);
        kill('SIGINT');
      }, 50);
    });
    expect(code).toBe(130);
    expect(err).toContain('Stopped.');
    expect(outputOf(join(folder, 'long-run/long.ipynb'), 0)[0].text).toContain('before');
    // The kernel is gone too.
    expect(() => process.kill(Number(readFileSync(marker, 'utf8')), 0)).toThrow();
  });

  it('refuses bad data before anything starts or is written', async () => {
    const rows = join(folder, 'broken.jsonl');
    writeFileSync(rows, `${'{"instruction":"a","output":"b"}\n'.repeat(811)}{"instruction":"a",\n`);
    const before = readdirSync(folder);
    const { code, out, err } = await run([notebook('unused', ['1']), '--data', rows]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain('broken.jsonl:812');
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(readdirSync(folder).filter(name => !before.includes(name))).toEqual(['unused.ipynb']);
  });

  it('says what to do without Jupyter, and leaves no folder behind', async () => {
    const { code, err } = await run([
      notebook('nowhere', ['1']),
      '--python',
      join(folder, 'no-python'),
      '--out',
      join(folder, 'none'),
    ]);
    expect(code).toBe(3);
    expect(err).toContain('npm run setup');
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});
