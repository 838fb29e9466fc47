import type { Hooks, TrainableModel } from '../../../../src/learn/train/index.js';

/**
 * Hooks that thaw a model layer by layer from the top (Howard & Ruder 2018, gradual unfreezing): at first the last layer and
 * what comes behind it are trained, every `every` steps one layer more, and embeddings with the first layer. Where a run
 * is resumed, `onStart` thaws what was thawed.
 */
export function gradualThaw(model: TrainableModel, layers: number, every: number): Hooks {
  const thaw = (step: number): void => {
    const lowest = layers - 1 - Math.floor(step / every);
    for (const parameter of model.parameters) {
      const layer = /\.layers\.(\d+)\./.exec(parameter.name)?.[1];
      const place = layer !== undefined ? Number(layer) : parameter.name.includes('embed') ? 0 : layers;
      parameter.trainable = place >= lowest;
    }
  };
  return { onStart: ({ run }) => thaw(run.step), onStep: ({ step }) => thaw(step) };
}
