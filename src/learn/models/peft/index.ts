export { type BottleneckOptions, bottleneck } from './bottleneck.js';
export type { AdapterFileOptions } from './files.js';
export type { FiledSpec, PlannedTensor } from './format.js';
export { type Ia3Options, ia3 } from './ia3.js';
export { type LoadAdapterOptions, loadAdapter, saveAdapter } from './load-save.js';
export { type LoraOptions, lora } from './lora.js';
export { type PrefixTuningOptions, prefixTuning } from './prefix.js';
export { type PromptTokenizer, type PromptTuningOptions, promptTuning } from './prompt.js';
