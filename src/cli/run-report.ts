import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { Unavailable } from '../base/core/index.js';
import type { Outcome } from './run-execute.js';

/** Say on stderr how a run failed or stopped. Throws Unavailable when it could not begin. */
export function describe({ code, error }: Outcome, executed: string | undefined): void {
  const out = (line: string) => void process.stderr.write(`${line}\n`);
  if (code === 130) out(`Stopped.${executed ? ' What was computed until then is in the notebook below.' : ''}`);
  if (code === 130) return;
  if (!error) {
    if (code !== 0) out(`The notebook's runner ended with exit code ${code}.`);
    return;
  }
  if (error.kind === 'setup') {
    throw new Unavailable({
      problem: error.message,
      expected: 'a Python with nbclient and the tunebook kernel',
      fix: 'run "npm run setup" in the clone, or name another Python with --python',
    });
  }
  const indent = (text: string) =>
    text
      .split('\n')
      .map(line => `    ${line}`)
      .join('\n');
  out('');
  out(
    error.cell
      ? `Cell ${error.cell} failed: ${error.name}: ${error.message}`
      : `The notebook failed: ${error.name}: ${error.message}`,
  );
  if (error.source) out(`  its source:\n${indent(error.source)}`);
  if (error.traceback.length) out(`  the error:\n${indent(error.traceback.join('\n'))}`);
  if (error.kind === 'dead') out('  Often this is memory: try fewer rows, a smaller model or batch, or --backend wasm.');
  if (error.kind === 'timeout') out('  --timeout SECONDS allows more, --steps N asks less.');
}

// What a notebook writes to TUNEBOOK_RESULT; a figure it could not compute is null or absent.
interface Figures {
  backend?: string | null;
  heldOutBefore?: number | null;
  heldOutAfter?: number | null;
  heldOutAfterReplay?: number | null;
  baseLossBefore?: number | null;
  baseLossAfter?: number | null;
  baseLossAfterReplay?: number | null;
}

/** Print what a run learned, from the figures the notebook published, and where its results are. */
export async function report({
  result,
  executed,
  page,
}: {
  result: string;
  executed: string;
  page: string | undefined;
}): Promise<void> {
  const lines: [string, string][] = [];
  const figures: Figures = existsSync(result) ? JSON.parse(await readFile(result, 'utf8')) : {};
  const two = (value: number) => value.toFixed(2);
  if (figures.backend) lines.push(['backend used', figures.backend]);
  const { heldOutBefore, heldOutAfter, heldOutAfterReplay, baseLossBefore, baseLossAfter, baseLossAfterReplay } = figures;
  if (typeof heldOutBefore === 'number' && typeof heldOutAfter === 'number') {
    const replay = typeof heldOutAfterReplay === 'number' ? ` (with replay ${two(heldOutAfterReplay)})` : '';
    lines.push(['held-out accuracy', `${two(heldOutBefore)} → ${two(heldOutAfter)}${replay}`]);
  }
  if (typeof baseLossBefore === 'number' && typeof baseLossAfter === 'number') {
    const change = baseLossAfter - baseLossBefore;
    const forgot = change > 0 ? `forgot ${two(change)} nats a token` : 'forgot nothing';
    const replay = typeof baseLossAfterReplay === 'number' ? `; with replay ${two(baseLossAfterReplay)}` : '';
    lines.push(['loss on base text', `${two(baseLossBefore)} → ${two(baseLossAfter)} (${forgot}${replay})`]);
  }
  lines.push(['notebook', relative('', executed)]);
  if (page) lines.push(['page', relative('', page)]);
  process.stdout.write(`\n${lines.map(([name, value]) => `  ${name.padEnd(18)} ${value}`).join('\n')}\n`);
}
