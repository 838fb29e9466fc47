import { BadInput, quote, TunebookError, Unavailable } from '../core/index.js';
import { nvidiaDriver } from './gpu.js';
import { registerGradients, tfjs } from './gradients.js';
import { loadNative } from './native.js';
import { probe } from './probe.js';
import { smoke } from './smoke.js';
import { BACKENDS, type BackendInfo, type BackendName } from './types.js';
import { useWasm } from './wasm/index.js';
import { closeWebgpu, useWebgpu } from './webgpu.js';

let active: BackendInfo | undefined;
/** Calls of `use` run one after another: two at once would fight over tfjs's one active backend. */
let queue: Promise<unknown> = Promise.resolve();

/** The backend in use, or undefined before the first {@link use}. */
export function current(): BackendInfo | undefined {
  return active;
}

/**
 * Choose the backend that tensors are computed on, and register every gradient with tfjs-core.
 *
 * - Without a name: the one already in use, else as 'auto'.
 * - 'auto': `TUNEBOOK_BACKEND` when set; else the best that works here, in the order cuda (only with a GPU seen), native,
 *   webgpu (only with a real adapter), wasm, cpu. Works means: a matrix product and its gradient came out right. Nothing is downloaded;
 *   `reason` says why this one and why none of the better ones.
 * - A name: that backend, or `Unavailable` with what to do about it.
 *
 * Calling it again with the same name is cheap. Switching later is allowed, but tensors stay with the backend that made
 * them: tfjs moves a tensor's data when it is next used, parameters held as TensorFlow resources cannot move, so choose
 * before a model is made. A process can load TensorFlow's CPU or CUDA build, not both.
 */
export function use(name?: BackendName | 'auto'): Promise<BackendInfo> {
  const result = queue.then(() => choose(name));
  queue = result.catch(() => {});
  return result;
}

async function choose(name: BackendName | 'auto' | undefined): Promise<BackendInfo> {
  if (name === undefined && active) return active;
  if (name !== undefined && name !== 'auto') return activate(known(name, 'backend.use'), 'asked for');
  const override = process.env.TUNEBOOK_BACKEND;
  if (override && override !== 'auto') return activate(known(override, 'TUNEBOOK_BACKEND'), `TUNEBOOK_BACKEND=${override}`);
  const passed: string[] = [];
  for (const candidate of BACKENDS) {
    const why = await refusal(candidate);
    if (why === undefined) {
      try {
        return await activate(candidate, ['the best that works here', ...passed].join('; '));
      } catch (error) {
        if (!(error instanceof TunebookError)) throw error;
        passed.push(`${candidate}: ${error.parts.problem}`);
      }
    } else passed.push(`${candidate}: ${why}`);
  }
  throw new Unavailable({ problem: 'no backend works here', found: passed.join('; '), fix: 'run "tunebook doctor"' });
}

/** Why 'auto' passes a backend over without loading it; undefined when it is worth activating. */
async function refusal(name: BackendName): Promise<string | undefined> {
  // The active backend has computed already. Pure JavaScript cannot fail to load.
  if (active?.name === name || name === 'cpu' || name === 'wasm') return undefined;
  // Without a driver TensorFlow's CUDA build sees no GPU: no need to load it to know.
  const driver = name === 'cuda' ? nvidiaDriver() : undefined;
  if (driver && 'missing' in driver) return driver.missing;
  // The rest is native code: a library built for another processor would end this process, so it is tried in a child first.
  const status = await probe(name, { remember: true });
  if (!status.works) return status.remedy ? `${status.reason} (${status.remedy})` : status.reason;
  if (name === 'cuda' && !status.gpu) return `it would compute on the CPU (${status.reason})`;
  return undefined;
}

function known(name: string, key: string): BackendName {
  if ((BACKENDS as readonly string[]).includes(name)) return name as BackendName;
  throw new BadInput({
    problem: 'there is no such backend',
    where: { key },
    expected: `auto, ${BACKENDS.join(', ')}`,
    found: quote(name),
  });
}

async function activate(name: BackendName, reason: string): Promise<BackendInfo> {
  const tf = tfjs();
  // Someone may have called tf.setBackend beside us.
  if (active?.name === name && tf.getBackend() === active.tfjsName) {
    active = { ...active, reason };
    return active;
  }
  const before = active?.tfjsName;
  registerGradients();
  try {
    const info = await starters[name](reason);
    await smoke(name);
    active = info;
    return info;
  } catch (error) {
    // A backend that failed half-way must not stay active.
    if (before !== undefined) await tf.setBackend(before);
    throw error;
  }
}

const starters: Record<BackendName, (reason: string) => Promise<BackendInfo>> = {
  cuda: reason => startNative('cuda', reason),
  native: reason => startNative('native', reason),
  webgpu: useWebgpu,
  wasm: useWasm,
  async cpu(reason) {
    const tf = tfjs();
    await import('@tensorflow/tfjs-backend-cpu');
    await tf.setBackend('cpu');
    // Its greeting at the first tensor advises an installer that no longer works.
    (tf.backend() as unknown as { firstUse: boolean }).firstUse = false;
    return {
      name: 'cpu',
      tfjsName: 'cpu',
      reason,
      version: tf.version_core,
      details: ['plain JavaScript: an oracle, not an engine'],
    };
  },
};

async function startNative(name: 'native' | 'cuda', reason: string): Promise<BackendInfo> {
  const { version, gpu, folder, note, fusedNote, signals } = loadNative(name);
  if (!(await tfjs().setBackend('tensorflow'))) {
    throw new Unavailable({
      problem: `tfjs could not start the ${name} backend`,
      fix: `tunebook backend install ${name} --force`,
    });
  }
  const device = name === 'cuda' ? [gpu ? 'computes on the GPU' : `computes on the CPU: ${note}`] : [];
  const details = [`TensorFlow ${version} in ${folder}`, ...device, fusedNote];
  if (signals) details.push(`a signal in the middle of a product may end this process: ${signals}`);
  return { name, tfjsName: 'tensorflow', reason, version, details };
}

/**
 * Let go of the active backend: tensors it holds become invalid. For tests and short-lived tools; a process that ends
 * needs no call, except with webgpu, whose device keeps Node alive.
 */
export function dispose(): Promise<void> {
  const result = queue.then(async () => {
    if (!active) return;
    const { name, tfjsName } = active;
    active = undefined;
    if (name === 'webgpu') await closeWebgpu();
    // tfjs-node's backend cannot be made twice in a process (its binding holds the tensors), so it stays.
    if (tfjsName === 'tensorflow') return;
    const tf = tfjs();
    const factory = tf.findBackendFactory(tfjsName);
    tf.removeBackend(tfjsName);
    // Removing forgets how to make it, too; a later use() makes it anew.
    tf.registerBackend(tfjsName, factory);
  });
  queue = result.catch(() => {});
  return result;
}
