// How much does each way of tuning learn, and how much does it forget? Two rates where the rate decides much.
//     npx tunebook sweep notebooks/science/methods.sweep.ts --csv notebooks/science/methods.csv
export default {
  name: 'methods',
  trial: './instruct.trial.ts',
  folder: '../../sweeps/methods',
  grid: [
    { method: 'full', learningRate: [5e-4, 1.5e-3] },
    { method: 'lora', size: [1, 4, 16], learningRate: [3e-3, 1e-2] },
    { method: 'bottleneck', size: 16, learningRate: 5e-3 },
    { method: 'ia3', learningRate: 3e-2 },
    { method: 'prefix', size: 16, learningRate: 1e-2 },
    { method: 'prompt', size: 16, learningRate: 0.1 },
  ],
  seeds: 5,
};
