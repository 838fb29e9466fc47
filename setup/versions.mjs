// Finds out whether this machine's Node and Python will do, and says how to get ones that do.
import { execFileSync } from 'node:child_process';
import { StepFailed } from './steps.mjs';

const atLeast = (version, [major, minor]) => {
  const [a, b] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
};

/** Node's version, or StepFailed when it is too old: `require` of an ES module works from 20.19. */
export function checkNode(version = process.versions.node) {
  if (atLeast(version, [20, 19])) return version;
  throw new StepFailed(
    `tunebook needs Node 20.19 or newer (20, 22 and 24 are tested); this is Node ${version}.`,
    'install a current Node from https://nodejs.org or with your version manager (nvm install 22, fnm install 22), open a new terminal and run this command again.',
  );
}

const PROBE = `
import json, sys
def has(name):
    try:
        __import__(name)
        return True
    except Exception:
        return False
print(json.dumps({"version": "%d.%d.%d" % sys.version_info[:3], "executable": sys.executable,
    "venv": has("venv") and has("ensurepip"), "jupyter": all(has(m) for m in ("jupyterlab", "nbclient", "nbconvert", "jupyter_client"))}))
`;

function probe(program, first = []) {
  try {
    const text = execFileSync(program, [...first, '-c', PROBE], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 60_000,
    });
    return { program, ...JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/**
 * The first Python that is ≥ 3.10 and can make environments: $TUNEBOOK_PYTHON, else python3, python, then versioned names.
 * Throws StepFailed that names what was found and what is missing.
 */
export function findPython() {
  const chosen = process.env.TUNEBOOK_PYTHON;
  const names = chosen ? [chosen] : ['python3', 'python', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3.14'];
  const found = [];
  for (const name of names) {
    const python = probe(name);
    if (!python) continue;
    if (atLeast(python.version, [3, 10]) && python.venv) return python;
    found.push(python);
  }
  if (!chosen && process.platform === 'win32') {
    const python = probe('py', ['-3']);
    if (python && atLeast(python.version, [3, 10]) && python.venv) return { ...python, program: python.executable };
    if (python) found.push(python);
  }
  const recent = found.find(python => atLeast(python.version, [3, 10]));
  if (recent) {
    const minor = recent.version.split('.').slice(0, 2).join('.');
    throw new StepFailed(
      `Python ${recent.version} (${recent.executable}) is there but cannot make environments: its modules venv and ensurepip are missing.`,
      `install them: on Debian or Ubuntu "sudo apt-get install python3-venv" (or python${minor}-venv), then run this command again. Another Python can be named in TUNEBOOK_PYTHON.`,
    );
  }
  const list = found.map(python => `Python ${python.version} (${python.executable})`).join(', ');
  throw new StepFailed(
    `tunebook needs Python 3.10 or newer for Jupyter; ${list ? `found only ${list}` : `none of ${names.join(', ')} runs here`}.`,
    'install one (Debian or Ubuntu: sudo apt-get install python3 python3-venv; macOS: brew install python; elsewhere: https://python.org) and run this command again. A Python that is not on PATH can be named in TUNEBOOK_PYTHON.',
  );
}
