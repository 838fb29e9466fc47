// How many different instructions does it take on the suite? The same 20,000 rows, spread over 16 to 4,096 of them.
//     npx tunebook sweep notebooks/science/suite-diversity.sweep.ts --csv notebooks/science/suite-diversity.csv
export default {
  name: 'suite-diversity',
  trial: './instruct.trial.ts',
  folder: '../../sweeps/suite-diversity',
  grid: { world: 'suite', baseSteps: 3000, steps: 800, instructions: [16, 64, 256, 1024, 4096] },
  seeds: 5,
};
