/**
 * Room `backend`: choose, install and inspect the engine that tensors are computed on. Importing it loads nothing heavy.
 */
export { type TfjsCopy, tfjsCopies } from './copies.js';
export { nvidiaDriver } from './gpu.js';
export { findCompiler } from './install/compile.js';
export { type Installed, type InstallOptions, installCuda, installNative, verifyInstalled } from './install/index.js';
export { type Finished, findPython, type Python, runProgram } from './install/python.js';
export { countBytes, type Memory, memory } from './memory.js';
export { type AttrMaker, type AttrType, type NativeOps, native, type OpAttr } from './native-ops.js';
export {
  assignResource,
  borrowResource,
  createResource,
  destroyResource,
  emptyResource,
  ownResource,
  type Resource,
  readResource,
  restResource,
} from './native-resource.js';
export { available } from './probe.js';
export { matmulSpeed } from './speed.js';
export { BACKENDS, type BackendInfo, type BackendName, type BackendStatus } from './types.js';
export { current, dispose, use } from './use.js';
