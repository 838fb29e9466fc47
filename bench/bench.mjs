// npm run bench -- <what> [options]: our engine beside its Python peer, in one run. Without arguments it says what there is.
import { BadUsage, usage } from './usage.mjs';

const benches = {
  packing: () => import('./packing.mjs').then(module => module.benchPacking),
  setup: () => import('./peer.mjs').then(module => module.setUp),
  generate: () => import('./generate.mjs').then(module => module.benchGenerate),
  encode: () => import('./encode.mjs').then(module => module.benchEncode),
  lora: () => import('./lora.mjs').then(module => module.benchLora),
  cost: () => import('./cost.mjs').then(module => module.benchCost),
  evaluate: () => import('./evaluate.mjs').then(module => module.benchEvaluate),
  trial: () => import('./trial.mjs').then(module => module.benchTrial),
  display: () => import('./display.mjs').then(module => module.benchDisplay),
  paint: () => import('./paint.mjs').then(module => module.benchPaint),
  kernel: () => import('./kernel.mjs').then(module => module.benchKernel),
  load: () => import('./load.mjs').then(module => module.benchLoad),
  profile: () => import('./profile.mjs').then(module => module.benchProfile),
  sft: () => import('./sft.mjs').then(module => module.benchSft),
  sweep: () => import('./sweep.mjs').then(module => module.benchSweep),
};

// A run's record (hashes of the base weights, git) is no part of what is measured; workers inherit this.
process.env.TUNEBOOK_RECORD = 'off';

const [name, ...args] = process.argv.slice(2);
if (!Object.hasOwn(benches, name ?? '')) {
  console.log(usage);
  process.exitCode = name === undefined || name === '--help' ? 0 : 2;
} else {
  try {
    const run = await benches[name]();
    await run(args);
  } catch (error) {
    console.error(error instanceof BadUsage ? `${error.message}\n\n${usage}` : (error.stack ?? String(error)));
    process.exitCode = error instanceof BadUsage ? 2 : 1;
  }
}
