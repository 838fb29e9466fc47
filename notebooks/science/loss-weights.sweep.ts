// Does it help to train the prompt, too? The quickstart world: prompts several times as long as answers.
//     npx tunebook sweep notebooks/science/loss-weights.sweep.ts --csv notebooks/science/loss-weights.csv
export default {
  name: 'loss-weights',
  trial: './instruct.trial.ts',
  folder: '../../sweeps/loss-weights',
  grid: { promptLossWeight: [0, 0.01, 0.1, 1] },
  seeds: 5,
};
