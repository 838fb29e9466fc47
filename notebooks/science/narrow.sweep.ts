// One task, or a mixture: the same number of rows and steps spent on 1, 2, 5 or all 10 tasks.
//     npx tunebook sweep notebooks/science/narrow.sweep.ts --csv notebooks/science/narrow.csv
export default {
  name: 'narrow',
  trial: './instruct.trial.ts',
  folder: '../../sweeps/narrow',
  grid: { tasks: [1, 2, 5, 10] },
  seeds: 5,
};
