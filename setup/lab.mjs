// npm run lab: set this clone up, then open JupyterLab on the notebooks with the tunebook kernel ready.
import { spawn } from 'node:child_process';
import { inRoot, jupyterEnvironment, ROOT, VENV_PYTHON } from './paths.mjs';
import { setUp, withMessages } from './setup.mjs';

await withMessages(async () => {
  console.log('tunebook: set-up');
  await setUp();
  const headless = process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY;
  const root = process.getuid?.() === 0 ? ['--allow-root'] : [];
  if (headless) console.log('tunebook: no display here, so no browser is opened: use the address that JupyterLab prints.');
  const args = ['-m', 'jupyterlab', `--ServerApp.root_dir=${ROOT}`, '--LabApp.default_url=/lab/tree/notebooks/quickstart.ipynb'];
  const child = spawn(VENV_PYTHON, [...args, ...(headless ? ['--no-browser'] : []), ...root, ...process.argv.slice(2)], {
    cwd: inRoot(),
    env: { ...process.env, ...jupyterEnvironment() },
    stdio: 'inherit',
  });
  // Ctrl-C reaches JupyterLab as well (same terminal); it asks and then ends by itself.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise(done => child.on('close', code => done(code ?? 130)));
});
