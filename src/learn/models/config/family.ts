import type { Fields } from './fields.js';
import type { Activation, DecoderConfig } from './types.js';

/** What a family fixes, and how it is read from and written to Hugging Face's config.json. */
export interface Family {
  architecture: string;
  /** Fields that every model of the family has. */
  fixed: Partial<DecoderConfig>;
  read(fields: Fields): DecoderConfig;
  /** Keys of config.json beyond `architectures`, `model_type` and the token ids. */
  write(config: DecoderConfig): Record<string, unknown>;
}

/** Activations by their names in config.json. */
export const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_new',
  gelu_fast: 'gelu_new',
  gelu_accurate: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  gelu_python_tanh: 'gelu_new',
  quick_gelu: 'quick_gelu',
  relu: 'relu',
  tanh: 'tanh',
  linear: 'linear',
};

/** The name to write for an activation. */
export const ACTIVATION_NAMES: Readonly<Record<Activation, string>> = {
  silu: 'silu',
  gelu: 'gelu',
  gelu_new: 'gelu_pytorch_tanh',
  quick_gelu: 'quick_gelu',
  relu: 'relu',
  tanh: 'tanh',
  linear: 'linear',
};

/** What is fixed unless a family says otherwise: Llama's shape (Touvron et al. 2023). */
export const LLAMA: Pick<
  DecoderConfig,
  | 'norm'
  | 'normOffset'
  | 'postNorms'
  | 'queryKeyNorm'
  | 'attentionBias'
  | 'attentionOutputBias'
  | 'mlpBias'
  | 'activation'
  | 'mlp'
  | 'embeddingScale'
> = {
  norm: 'rms',
  normOffset: 0,
  postNorms: false,
  queryKeyNorm: false,
  attentionBias: false,
  attentionOutputBias: false,
  mlpBias: false,
  activation: 'silu',
  mlp: 'gated',
  embeddingScale: 1,
};
