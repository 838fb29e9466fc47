export { type ConfigOptions, fromTokenizerConfig } from './config.js';
export type { WireMessage } from './conversation.js';
export type { Limits } from './meter.js';
export type { JinjaRenderOptions } from './render.js';
export { fromJinja, type JinjaOptions, type JinjaTemplate } from './template.js';
