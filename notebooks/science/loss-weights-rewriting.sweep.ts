// Does it help to train the prompt, too? String rewriting: an unpredictable prompt of 15 tokens, an answer of 9.
//     npx tunebook sweep notebooks/science/loss-weights-rewriting.sweep.ts --csv notebooks/science/loss-weights-rewriting.csv
export default {
  name: 'loss-weights-rewriting',
  trial: './rewriting.trial.ts',
  folder: '../../sweeps/loss-weights-rewriting',
  grid: { promptLossWeight: [0, 0.01, 0.1, 1] },
  seeds: 8,
};
