import { memory } from '../../src/base/backend/index.js';

/** What lives now: tensors, their bytes, and bytes of TensorFlow resources, which tfjs does not see. */
interface Holding {
  tensors: number;
  tensorBytes: number;
  resourceBytes: number;
}

function holding(): Holding {
  const { tensors, tensorBytes, resourceBytes } = memory();
  return { tensors, tensorBytes, resourceBytes };
}

/**
 * Run `work` and return what it left behind (contract 9): zeros when every tensor had one owner and was freed. `work` is run
 * once before it is measured, so that what is made once and kept (caches of the backend) does not count.
 */
export async function leftBehind(work: () => unknown): Promise<Holding> {
  await work();
  const before = holding();
  await work();
  const after = holding();
  return {
    tensors: after.tensors - before.tensors,
    tensorBytes: after.tensorBytes - before.tensorBytes,
    resourceBytes: after.resourceBytes - before.resourceBytes,
  };
}

/** What {@link leftBehind} returns when nothing leaked. */
export const NOTHING: Holding = { tensors: 0, tensorBytes: 0, resourceBytes: 0 };
