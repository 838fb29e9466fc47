// One way of writing conversations, or several: what does each do to the style that was trained, and to styles that are new?
//     npx tunebook sweep notebooks/science/styles.sweep.ts --csv notebooks/science/styles.csv
export default {
  name: 'styles',
  trial: './instruct.trial.ts',
  folder: '../../sweeps/styles',
  grid: { styles: [1, 2, 4, 8] },
  seeds: 5,
};
