import { Unavailable } from '../core/index.js';
import { tfjs } from './gradients.js';
import type { BackendInfo } from './types.js';

interface Adapter {
  info?: { vendor?: string; architecture?: string; description?: string; isFallbackAdapter?: boolean };
  isFallbackAdapter?: boolean;
}
interface Device {
  queue: { onSubmittedWorkDone(): Promise<void> };
  destroy(): void;
}

// Both are optional peers: named through variables so that neither the compiler nor a bundler asks for them.
const DAWN: string = 'webgpu';
const TFJS_WEBGPU: string = '@tensorflow/tfjs-backend-webgpu';

/** The adapter of Dawn for Node. Throws `Unavailable` without the packages or without a GPU; software adapters are refused. */
export async function webgpuPackages(): Promise<{ adapter: Adapter; description: string }> {
  const dawn = await optional<{ create(flags: string[]): { requestAdapter(): Promise<Adapter | null> }; globals: object }>(DAWN);
  await optional(TFJS_WEBGPU, false);
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  const adapter = await gpu.requestAdapter();
  if (!adapter) {
    throw new Unavailable({
      problem: 'WebGPU finds no GPU adapter on this machine',
      fix: 'use native or wasm; WebGPU needs a GPU with a Vulkan, Metal or D3D12 driver',
    });
  }
  const description =
    [adapter.info?.vendor, adapter.info?.architecture, adapter.info?.description].filter(Boolean).join(' ') ||
    'an adapter without a name';
  if (adapter.isFallbackAdapter || adapter.info?.isFallbackAdapter) {
    throw new Unavailable({
      problem: `WebGPU finds only a software adapter (${description}), slower than wasm`,
      fix: 'use native or wasm',
    });
  }
  // tfjs's backend asks navigator.gpu; Node ≥ 21 has a read-only navigator of its own.
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true, writable: true });
  return { adapter, description };
}

/** Start the webgpu backend (packages `webgpu` and `@tensorflow/tfjs-backend-webgpu`, both optional). Prefer `await t.data()` with it. */
export async function useWebgpu(reason: string): Promise<BackendInfo> {
  const { description } = await webgpuPackages();
  const tf = tfjs();
  await import(TFJS_WEBGPU);
  if (!(await tf.setBackend('webgpu')))
    throw new Unavailable({ problem: `tfjs could not start WebGPU on ${description}`, fix: 'use native or wasm' });
  return { name: 'webgpu', tfjsName: 'webgpu', reason, version: tf.version_core, details: [description] };
}

/** Drain and destroy the device, which otherwise keeps the process from ending. */
export async function closeWebgpu(): Promise<void> {
  const device = (tfjs().findBackend('webgpu') as unknown as { device?: Device } | null)?.device;
  await device?.queue.onSubmittedWorkDone();
  device?.destroy();
  Reflect.deleteProperty(globalThis, 'navigator');
}

async function optional<T>(name: string, load = true): Promise<T> {
  try {
    return (load ? await import(name) : import.meta.resolve(name)) as T;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new Unavailable({
      problem:
        code === 'ERR_MODULE_NOT_FOUND'
          ? `the optional package ${name} is not installed`
          : `the package ${name} does not load (${(cause as Error).message})`,
      fix: `npm install ${DAWN}@0.6 ${TFJS_WEBGPU}@4.22.0 (130 MB; worth it on a machine with a GPU)`,
      cause,
    });
  }
}
