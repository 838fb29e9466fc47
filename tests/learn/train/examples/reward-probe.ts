import type { Hooks } from '../../../../src/learn/train/index.js';

/** Hooks that score what the model says at every evaluation (`evaluate: { rows, samples: 8 }`): `reward` in `run.evaluations`. */
export function rewardProbe(reward: (answer: string, expected: string) => number): Hooks {
  return {
    onSample(samples) {
      const scores = samples.map(({ got, expected }) => reward(got, expected));
      return { reward: scores.reduce((a, b) => a + b, 0) / scores.length };
    },
  };
}
