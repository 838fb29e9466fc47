export { alpaca, chatml, plain } from './builtin.js';
export { type CheckResult, type CheckTokenizer, check, TemplateChecks } from './check.js';
export { define, type TemplateFormat, type TurnFormat } from './define.js';
export {
  type ConfigOptions,
  fromJinja,
  fromTokenizerConfig,
  type JinjaOptions,
  type JinjaRenderOptions,
  type JinjaTemplate,
  type Limits,
  type WireMessage,
} from './jinja/index.js';
export { get, names, register } from './registry.js';
export type { Printed, Rendering, Trim } from './rendering.js';
export { flanWith, t0With } from './text-to-text.js';
export type { RenderOptions, Segment, Template, Thinking } from './types.js';
export {
  type PhraseOptions,
  phrase,
  TASK_FIELDS,
  type TaskExample,
  type TaskType,
  type WordingStyle,
  wordings,
} from './wordings/index.js';
