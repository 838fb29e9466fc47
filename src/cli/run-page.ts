import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../base/core/index.js';
import { notebookPage } from '../show/index.js';

/** Write the HTML page of an executed notebook beside it; undefined (with a word on stderr) where that fails: the notebook is there. */
export async function writePage(notebook: string): Promise<string | undefined> {
  const page = notebook.replace(/\.ipynb$/, '.html');
  try {
    await writeFileAtomic(page, await notebookPage(await readFile(notebook, 'utf8')));
    return page;
  } catch (error) {
    process.stderr.write(`The HTML page could not be made: ${(error as Error).message}\n`);
    return undefined;
  }
}
