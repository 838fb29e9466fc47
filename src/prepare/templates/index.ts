export { alpaca, chatml, plain } from './builtin.js';
export { define, type TemplateFormat, type TurnFormat } from './define.js';
export { get, names, register } from './registry.js';
export type { RenderOptions, Segment, Template } from './types.js';
