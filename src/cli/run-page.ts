import { spawnSync } from 'node:child_process';

/** Write the HTML page of an executed notebook beside it; undefined (with a word on stderr) where that fails: the notebook is there. */
export async function writePage(
  notebook: string,
  { python, env }: { python: string; env: NodeJS.ProcessEnv },
): Promise<string | undefined> {
  const { status, stderr } = spawnSync(python, ['-m', 'nbconvert', '--to', 'html', notebook], { env, encoding: 'utf8' });
  if (status === 0) return notebook.replace(/\.ipynb$/, '.html');
  process.stderr.write(
    `The HTML page could not be made: ${(stderr ?? '').trim().split('\n').at(-1) ?? 'nbconvert did not start'}\n`,
  );
  return undefined;
}
