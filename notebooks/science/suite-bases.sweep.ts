// The base models that the other sweeps start from: one for each seed, the same for all arms. (They make what is missing themselves.)
//     npx tunebook sweep notebooks/science/suite-bases.sweep.ts --csv notebooks/science/suite-bases.csv
export default {
  name: 'suite-bases',
  trial: './base.trial.ts',
  folder: '../../sweeps/suite-bases',
  grid: { world: 'suite', steps: 3000 },
  seeds: 5,
};
