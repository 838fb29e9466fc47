// What is installed already, read from the files that npm and pip leave: no program is started to find out.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot, VENV, VENV_PYTHON } from './paths.mjs';

const readJSON = file => JSON.parse(readFileSync(file, 'utf8'));

/** Number of packages when node_modules holds what package-lock.json asks for, else undefined. */
export function lockedNodePackages() {
  const installedList = inRoot('node_modules', '.package-lock.json');
  if (!existsSync(installedList)) return undefined;
  try {
    const installed = readJSON(installedList).packages;
    let count = 0;
    for (const [path, wanted] of Object.entries(readJSON(inRoot('package-lock.json')).packages)) {
      if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) continue;
      const found = installed[path];
      if (!found && (wanted.optional || wanted.devOptional || wanted.peer)) continue; // built for another platform
      if (!found || found.version !== wanted.version || !existsSync(inRoot(path))) return undefined;
      count++;
    }
    return count;
  } catch {
    return undefined;
  }
}

const canonical = name => name.toLowerCase().replace(/[-_.]+/g, '-');

/** The pins of a requirements file (and the files it includes) that apply to a Python version: name → version. */
export function pins(file, python) {
  const wanted = new Map();
  for (const raw of readFileSync(inRoot('setup', file), 'utf8').split('\n')) {
    const line = raw.replace(/#.*/, '').trim();
    if (!line) continue;
    const include = /^-r\s+(\S+)$/.exec(line);
    if (include) for (const [name, version] of pins(include[1], python)) wanted.set(name, version);
    const pin = /^([\w.-]+)==([^\s;]+)\s*(?:;\s*python_version\s*(<|>=)\s*"3\.(\d+)")?$/.exec(line);
    if (!pin) continue;
    const [, name, version, operator, minor] = pin;
    const ours = Number(python.split('.')[1]);
    if (!operator || (operator === '<' ? ours < Number(minor) : ours >= Number(minor))) wanted.set(canonical(name), version);
  }
  return wanted;
}

/** The venv's Python version, or undefined when there is no venv whose Python can run. */
export function venvPython() {
  if (!existsSync(VENV_PYTHON)) return undefined;
  try {
    return /^version(?:_info)?\s*=\s*(\d+\.\d+)/m.exec(readFileSync(join(VENV, 'pyvenv.cfg'), 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

/** Number of packages when the venv holds every pin of `file`, else undefined. */
export function pinnedPythonPackages(file) {
  const python = venvPython();
  if (!python || Number(python.split('.')[1]) < 10) return undefined;
  const site =
    process.platform === 'win32' ? join(VENV, 'Lib', 'site-packages') : join(VENV, 'lib', `python${python}`, 'site-packages');
  if (!existsSync(site)) return undefined;
  const there = new Set();
  for (const entry of readdirSync(site)) {
    const match = /^(.+)-([^-]+)\.dist-info$/.exec(entry);
    if (match && existsSync(join(site, entry, 'RECORD'))) there.add(`${canonical(match[1])}==${match[2]}`);
  }
  const wanted = pins(file, python);
  for (const [name, version] of wanted) if (!there.has(`${name}==${version}`)) return undefined;
  return wanted.size;
}
