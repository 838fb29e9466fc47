import { readFile, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { BadInput, writeFileAtomic } from '../base/core/index.js';
import { notebookPage } from '../show/index.js';
import { readArguments } from './arguments.js';

const USAGE = `tunebook export NOTEBOOK.ipynb [options]: one HTML file that holds the executed notebook and works offline

  --out FILE    where to write it (default: beside the notebook, .html)
  --title T     title of the page (default: the notebook's own, its first heading, the file's name)
  --static      charts as pictures alone: a smaller file without any script
  --help

The notebook is not run; what its outputs hold is not trusted. The page loads nothing, and the one script in it is tunebook's own,
which draws the charts; its content-security-policy lets no other run.
`;

/** Bytes of a notebook file at most: as text it must fit into one string. */
const LARGEST = 400e6;

/** `tunebook export`: write an executed notebook as one HTML file. Returns the exit code. */
export async function exportCommand(args: string[]): Promise<number> {
  const { values, positionals } = readArguments('export', args, { values: ['out', 'title'], flags: ['static'] });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0)
    throw new BadInput({
      problem: file === undefined ? 'no notebook is named' : 'more than one notebook is named',
      expected: 'tunebook export NOTEBOOK.ipynb',
      fix: 'tunebook export --help',
    });
  const out = values.out ?? `${file.replace(/\.ipynb$/i, '')}.html`;
  if (resolve(out) === resolve(file))
    throw new BadInput({
      problem: 'the page would replace the notebook',
      where: { file },
      expected: 'another file for --out',
      fix: 'leave --out away: the page then stands beside the notebook, as .html',
    });
  const page = await pageOf(file, {
    interactive: !values.static,
    name: basename(file).replace(/\.ipynb$/i, ''),
    ...(values.title === undefined ? {} : { title: values.title }),
  });
  await writeFileAtomic(out, page);
  process.stdout.write(`${out}: ${(Buffer.byteLength(page) / 1e6).toFixed(1)} MB, ${charts(page)}\n`);
  return 0;
}

async function pageOf(file: string, options: Parameters<typeof notebookPage>[1]): Promise<string> {
  const text = await read(file);
  try {
    return await notebookPage(text, options);
  } catch (error) {
    throw error instanceof BadInput ? new BadInput({ ...error.parts, where: { file } }) : error;
  }
}

function charts(page: string): string {
  const [all, live] = [/<div class="tb-chart"/g, /<div class="tb-chart" data-chart/g].map(mark => page.match(mark)?.length ?? 0);
  return `${all} chart${all === 1 ? '' : 's'}${live ? `, ${live} of them live` : ''}`;
}

async function read(file: string): Promise<string> {
  const where = { file };
  const expected = 'a Jupyter notebook (.ipynb)';
  try {
    const { size } = await stat(file);
    if (size > LARGEST)
      throw new BadInput({ problem: 'the notebook is too large', where, expected: '400 MB at most', found: `${size} bytes` });
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof BadInput) throw cause;
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const problem = missing ? 'no such file' : 'the file cannot be read';
    throw new BadInput({ problem, where, expected, fix: 'check the path', cause });
  }
}
