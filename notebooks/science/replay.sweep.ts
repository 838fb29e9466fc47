// What do replay of base text and the learning rate do to learning, and to forgetting?
//     npx tunebook sweep notebooks/science/replay.sweep.ts --csv notebooks/science/replay.csv
export default {
  name: 'replay',
  trial: './instruct.trial.ts',
  folder: '../../sweeps/replay',
  grid: [
    { replay: [0, 0.05, 0.25, 0.5], learningRate: 1.5e-3 },
    { replay: [0, 0.25], learningRate: [3e-4, 7e-4, 4e-3] },
  ],
  seeds: 5,
};
