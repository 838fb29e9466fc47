export { installKernelspec, installTslabKernelspec, kernelspecs, pythonPrefix, uninstallKernelspec } from './install.js';
