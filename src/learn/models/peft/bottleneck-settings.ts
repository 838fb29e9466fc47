import { BadInput, quote } from '../../../base/core/index.js';

/** Nonlinearity of a bottleneck: `gelu` is the exact one (erf), `silu` AdapterHub's `swish`. */
export type BottleneckActivation = 'relu' | 'gelu' | 'gelu_new' | 'silu' | 'tanh';

export const ACTIVATIONS: readonly BottleneckActivation[] = ['relu', 'gelu', 'gelu_new', 'silu', 'tanh'];

/** What a bottleneck adapter is made from. */
export interface BottleneckSettings {
  placement: 'houlsby' | 'pfeiffer';
  reduction: number;
  /** In place of `reduction`. */
  size?: number;
  activation: BottleneckActivation;
  scale: number;
  layers?: readonly number[];
  seed: number | string;
  /** adapter_config.json as it was read. */
  original: Readonly<Record<string, unknown>>;
}

/** Throws BadInput for settings that cannot be used; `file` is where they were read. */
export function checkSettings(
  { placement, reduction, size, activation, scale, layers }: BottleneckSettings,
  file?: string,
): void {
  const need = (good: boolean, key: string, expected: string, found: unknown) => {
    if (good) return;
    throw new BadInput({
      problem: 'The bottleneck adapter has a setting that cannot be used',
      where: { file, key },
      expected,
      found: quote(found ?? null),
    });
  };
  need(placement === 'houlsby' || placement === 'pfeiffer', 'placement', 'houlsby or pfeiffer', placement);
  need(Number.isFinite(reduction) && reduction > 0, 'reduction', 'a number above 0', reduction);
  need(size === undefined || (Number.isSafeInteger(size) && size >= 1), 'size', 'a whole number of at least 1', size);
  need(ACTIVATIONS.includes(activation), 'activation', ACTIVATIONS.join(', '), activation);
  need(Number.isFinite(scale), 'scale', 'a number', scale);
  const numbered = Array.isArray(layers) && layers.length > 0 && layers.every(layer => Number.isSafeInteger(layer) && layer >= 0);
  need(layers === undefined || numbered, 'layers', 'numbers of layers, counted from 0', layers);
}

/** Width of the bottleneck in a stream of this width; never less than 1. */
export function sizeFor({ size, reduction }: BottleneckSettings, hiddenSize: number): number {
  return size ?? Math.max(1, Math.floor(hiddenSize / reduction));
}
