import { readFile, stat } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { BadInput, writeFileAtomic } from '../base/core/index.js';
import { notebookPage } from '../show/index.js';

const USAGE = `tunebook export NOTEBOOK.ipynb [options]: one HTML file that holds the executed notebook and works offline

  --out FILE    where to write it (default: beside the notebook, .html)
  --title T     title of the page (default: the notebook's first heading)
  --static      charts as pictures alone: a smaller file without any script
  --help

The notebook is not run; what its outputs hold is not trusted. The page loads nothing, and the one script in it is tunebook's own,
which draws the charts; its content-security-policy lets no other run.
`;

/** Bytes of a notebook file at most: as text it must fit into one string. */
const LARGEST = 400e6;

/** `tunebook export`: write an executed notebook as one HTML file. Returns the exit code. */
export async function exportCommand(args: string[]): Promise<number> {
  const { values, positionals } = parse(args);
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
  const page = await notebookPage(await read(file), {
    interactive: !values.static,
    ...(values.title === undefined ? {} : { title: values.title }),
  });
  await writeFileAtomic(out, page);
  process.stdout.write(`${out}: ${(Buffer.byteLength(page) / 1e6).toFixed(1)} MB, ${charts(page)}\n`);
  return 0;
}

function charts(page: string): string {
  const [all, live] = [/<div class="tb-chart"/g, /<div class="tb-chart" data-chart/g].map(mark => page.match(mark)?.length ?? 0);
  return `${all} chart${all === 1 ? '' : 's'}${live ? `, ${live} of them live` : ''}`;
}

async function read(file: string): Promise<string> {
  const where = { file };
  const expected = 'a Jupyter notebook (.ipynb, nbformat 4)';
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

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        out: { type: 'string' },
        title: { type: 'string' },
        static: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (cause) {
    throw new BadInput({ problem: (cause as Error).message, fix: 'tunebook export --help', cause });
  }
}
