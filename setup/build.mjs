// Compiles src to dist with the project's own TypeScript (node_modules/.bin/tsc belongs to tslab's fork).
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 1;
