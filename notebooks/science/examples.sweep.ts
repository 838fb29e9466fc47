// Do more examples of the same instructions help? 512 rules, from 2 to 128 examples of each; the number of steps stays the same.
//     npx tunebook sweep notebooks/science/examples.sweep.ts --csv notebooks/science/examples.csv
export default {
  name: 'examples',
  trial: './rewriting.trial.ts',
  folder: '../../sweeps/examples',
  grid: { rules: 512, examples: [1024, 2048, 4096, 8192, 16_384, 65_536] },
  seeds: 5,
};
