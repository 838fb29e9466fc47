export { parseConfig, toHuggingFace } from './hugging-face.js';
export { decoderConfig, type PartialConfig, type Preset, presetSizes } from './presets.js';
export type { Activation, DecoderConfig, LayerType, ModelConfig, ModelType, RopeConfig } from './types.js';
