// Where things of this clone lie. Plain Node, no packages: this runs before node_modules exists.
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(fileURLToPath(new URL('..', import.meta.url)));
export const inRoot = (...parts) => join(ROOT, ...parts);

const windows = process.platform === 'win32';

/** The clone's Python environment. Programs in it are run as modules (`python -m …`), so that a moved clone still works. */
export const VENV = inRoot('.venv');
export const VENV_PYTHON = windows ? join(VENV, 'Scripts', 'python.exe') : join(VENV, 'bin', 'python');

/** Stamps of finished set-up steps and other things that may be deleted at any time. */
export const CACHE = inRoot('.cache');

export const CLI = inRoot('dist', 'cli', 'main.js');

/** Environment that keeps every file Jupyter writes inside the clone, and makes it look for kernels in the venv first. */
export function jupyterEnvironment(base = inRoot('.cache', 'jupyter')) {
  return {
    JUPYTER_CONFIG_DIR: join(base, 'config'),
    JUPYTER_DATA_DIR: join(base, 'data'),
    JUPYTER_RUNTIME_DIR: join(base, 'runtime'),
    JUPYTERLAB_SETTINGS_DIR: join(base, 'lab', 'settings'),
    JUPYTERLAB_WORKSPACES_DIR: join(base, 'lab', 'workspaces'),
    IPYTHONDIR: join(base, 'ipython'),
    TUNEBOOK_HISTORY: join(base, 'history.jsonl'),
    JUPYTER_PREFER_ENV_PATH: '1',
  };
}

/** npm as [program, first arguments]: the npm that started us where there is one, else the one on PATH. */
export function npmCommand() {
  const started = process.env.npm_execpath;
  if (started && /npm-cli\.(c?js)$/.test(started)) return [process.execPath, [started]];
  return windows ? ['npm.cmd', []] : ['npm', []];
}
