import { join } from 'node:path';
import { runProgram } from './python.js';

/** What TensorFlow did when it was loaded in a process of its own. */
export interface Checked {
  ok: boolean;
  /** Version of TensorFlow. */
  version?: string;
  gpu?: boolean;
  /** Why it failed, one line. */
  problem?: string;
}

// Runs as `node -e`, without tunebook or tfjs: the same text works from sources, from a build and in every Node version.
const SCRIPT = `
const b = require(process.argv[1]);
const tensor = (shape, values) => b.createTensor(shape, b.TF_FLOAT, new Float32Array(values));
const attrs = [{name: 'transpose_a', type: b.TF_ATTR_BOOL, value: false}, {name: 'transpose_b', type: b.TF_ATTR_BOOL, value: false}, {name: 'T', type: b.TF_ATTR_TYPE, value: b.TF_FLOAT}];
const [{id}] = b.executeOp('MatMul', attrs, [tensor([2, 3], [1, 2, 3, 4, 5, 6]), tensor([3, 2], [0.5, -1, 2, 0.25, -0.5, 1])], 1);
const found = Array.from(b.tensorDataSync(id));
console.log(JSON.stringify({ok: JSON.stringify(found) === '[3,2.5,9,3.25]', version: b.TF_Version, gpu: b.isUsingGpuDevice(), found}));
`;

/**
 * Load the binding in `folder` in a child process and compute a matrix product with it. A library for another processor or an older
 * system ends that child and not us.
 */
export async function checkBinding(folder: string): Promise<Checked> {
  const env = { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env };
  const { status, stdout, stderr } = await runProgram(process.execPath, ['-e', SCRIPT, join(folder, 'tfjs_binding.node')], {
    env,
  });
  const line = stdout.split('\n').find(text => text.startsWith('{"ok"'));
  if (line) {
    const result = JSON.parse(line) as Checked & { found: number[] };
    return { ...result, problem: result.ok ? undefined : `it computes a matrix product wrongly (${result.found.join(', ')})` };
  }
  const said = stderr
    .split('\n')
    .find(text => /Error:|GLIBC|cannot open|undefined symbol/.test(text))
    ?.trim();
  return {
    ok: false,
    problem: said?.slice(0, 300) ?? `a process that loads it ends with status ${status} (a processor without AVX?)`,
  };
}
