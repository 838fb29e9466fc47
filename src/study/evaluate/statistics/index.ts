export {
  type PolynomialFit,
  polynomialFit,
  rSquared,
  spearman,
  studentCdf,
  studentP,
  studentQuantile,
} from '../../../base/core/index.js';
export { type BootstrapInterval, type BootstrapOptions, bootstrap, type SeedByItem } from './bootstrap.js';
export { minimumDetectableEffect } from './power.js';
export {
  FEWEST_SEEDS,
  holm,
  type Interval,
  type PairedOptions,
  type PairedTest,
  pairedT,
  type SignTest,
  signTest,
  tInterval,
} from './seeds.js';
