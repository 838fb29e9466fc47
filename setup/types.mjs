// Type-checks src and tests, and that every export of src says its type (isolatedDeclarations, which is only checked on emit), so that no
// inferred type that an older compiler cannot read gets into the declarations.
import { spawnSync } from 'node:child_process';
import { ROOT } from './paths.mjs';

const tsc = (...args) =>
  spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '--pretty', 'false', ...args], { cwd: ROOT, encoding: 'utf8' })
    .stdout;

const declarations = [
  '--emitDeclarationOnly',
  '--incremental',
  'false',
  '--tsBuildInfoFile',
  'null',
  '--outDir',
  '.cache/declarations',
];
const problems = [
  ...tsc('-p', 'tests').split('\n'),
  ...tsc('-p', '.', ...declarations)
    .split('\n')
    .filter(line => /error TS90\d\d:/.test(line)),
].filter(Boolean);
for (const line of problems) console.log(line);
console.log(problems.length ? '' : 'no type errors');
process.exitCode = problems.length ? 1 : 0;
