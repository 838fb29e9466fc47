import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Unavailable } from '../../core/index.js';
import { cacheRoot } from './cache.js';
import { CUDA_WHEELS } from './cuda-wheels.js';
import { type Machine, thisMachine } from './machine.js';

const require = createRequire(import.meta.url);

/** One file of a package index, named so exactly that there is only one such file. */
export interface WheelPin {
  /** Package on PyPI. */
  package: string;
  version: string;
  /** Compatibility tag of the file to fetch; only its libraries are used, so the Python it is for does not matter. */
  python: string;
  abi: string;
  /** Platform tags the file may carry. */
  platforms: string[];
  /** SHA-256 that PyPI publishes for the file. */
  sha256: string;
  /** Size of the download in bytes, told before it begins. */
  bytes: number;
}

/** How one TensorFlow is brought to tfjs. A parameter of the installer, so that tests can use a tiny fake. */
export interface Recipe {
  kind: 'native' | 'cuda';
  wheel: WheelPin;
  /** The tfjs package whose binding is compiled. */
  tfjsPackage: string;
  tfjsVersion: string;
  /** Libraries taken from the wheel, relative to its root; they keep that place, which TensorFlow's own rpath expects. */
  libraries: string[];
  /** Prefix of the headers in the wheel, used for the build only. */
  headers: string;
  /** Of the headers (290 MB), the folders that tfjs-node's binding includes from. */
  headerFolders: string[];
  /** Wheels unpacked whole beside (cuda: the CUDA libraries). */
  extras: WheelPin[];
  /** Folder of the finished installation. */
  folder: string;
}

export const TENSORFLOW = '2.21.0';

const CP311 = { version: TENSORFLOW, python: '3.11', abi: 'cp311' };

// Hashes and sizes as PyPI publishes them. On aarch64 PyPI's `tensorflow` is a build for the CPU.
const WHEELS: Record<'native' | 'cuda', Record<string, WheelPin>> = {
  native: {
    'linux-x64': {
      ...CP311,
      package: 'tensorflow-cpu',
      platforms: ['manylinux_2_27_x86_64'],
      sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
      bytes: 273_829_956,
    },
    'linux-arm64': {
      ...CP311,
      package: 'tensorflow',
      platforms: ['manylinux_2_27_aarch64'],
      sha256: '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
      bytes: 281_828_020,
    },
  },
  cuda: {
    'linux-x64': {
      ...CP311,
      package: 'tensorflow',
      platforms: ['manylinux_2_27_x86_64'],
      sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
      bytes: 572_440_367,
    },
  },
};

/** The recipe for this machine. Throws `Unavailable` where TensorFlow publishes no wheel, or tfjs-node is not installed. */
export function recipeFor(
  kind: 'native' | 'cuda',
  machine: Machine = thisMachine(),
  options: { cudaLibraries?: boolean } = {},
): Recipe {
  const key = `${machine.platform}-${machine.arch}`;
  const wheel = WHEELS[kind][key];
  if (!wheel) {
    throw new Unavailable({
      problem: `the ${kind} backend is not available on ${key}`,
      expected: `one of ${Object.keys(WHEELS[kind]).join(', ')}`,
      fix: 'use the wasm backend, which runs everywhere (on Windows, WSL gives linux-x64)',
    });
  }
  if (!machine.glibc) {
    throw new Unavailable({
      problem: `the ${kind} backend needs a Linux with glibc, which TensorFlow's wheels are built for`,
      found: 'another C library (Alpine?)',
      fix: 'use the wasm backend, or an image based on Debian or Ubuntu',
    });
  }
  const tfjsPackage = kind === 'cuda' ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node';
  const tfjsVersion = packageVersion(tfjsPackage);
  return {
    kind,
    wheel,
    tfjsPackage,
    tfjsVersion,
    libraries: ['tensorflow/libtensorflow_framework.so.2', 'tensorflow/libtensorflow_cc.so.2'],
    headers: 'tensorflow/include/',
    headerFolders: ['tensorflow/c/', 'tensorflow/core/platform/', 'tsl/platform/', 'xla/tsl/', 'absl/'],
    extras: kind === 'cuda' && options.cudaLibraries ? [...CUDA_WHEELS] : [],
    folder: join(cacheRoot(), `${kind}-${wheel.version}-${key}-tfjs${tfjsVersion}`),
  };
}

function packageVersion(name: string): string {
  try {
    return (require(`${name}/package.json`) as { version: string }).version;
  } catch (cause) {
    throw new Unavailable({
      problem: `the package ${name} is not installed`,
      fix: `npm install ${name}@4.22.0 --ignore-scripts (its own installer would download a library that is gone; tunebook builds it differently)`,
      cause,
    });
  }
}
