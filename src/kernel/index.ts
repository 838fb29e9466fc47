export {
  installDenoKernelspec,
  installKernelspec,
  installTslabKernelspec,
  kernelspecs,
  pythonPrefix,
  uninstallKernelspec,
} from './install.js';
