// The base models that the other sweeps start from: one for each seed, the same for all arms. (They make what is missing themselves.)
//     npx tunebook sweep notebooks/science/bases.sweep.ts --csv notebooks/science/bases.csv
export default {
  name: 'bases',
  trial: './base.trial.ts',
  folder: '../../sweeps/bases-trials',
  grid: { world: 'quickstart', steps: 3000 },
  seeds: 5,
};
