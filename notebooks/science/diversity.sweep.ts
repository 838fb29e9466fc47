// How many different instructions does it take until new ones are followed? The same 16,384 examples, spread over 8 to 2,048 rules.
//     npx tunebook sweep notebooks/science/diversity.sweep.ts --csv notebooks/science/diversity.csv
export default {
  name: 'diversity',
  trial: './rewriting.trial.ts',
  folder: '../../sweeps/diversity',
  grid: [
    { rules: [8, 32, 64, 128, 256, 512, 2048], distribution: ['uniform', 'long-tail'], positions: 'learned' },
    { rules: [64, 512, 2048], distribution: 'uniform', positions: 'rotary' },
  ],
  seeds: 8,
};
