import type { Message } from '../data/index.js';
import { think } from './define.js';
import { pythonJson } from './json.js';
import { Rendering } from './rendering.js';
import { lastQuestion, splitThinking, thinkingOf } from './thinking.js';
import { hermesCalls } from './tool-calls.js';
import { checkAbilities, checkOrder } from './turns.js';
import type { RenderOptions, Segment, Template } from './types.js';

interface Qwen {
  name: string;
  /** System text where the conversation has none. */
  defaultSystem?: string;
  /** Writes a think block into the last answer, empty where there is nothing to put in, and drops those of the history. */
  reasons: boolean;
}

const TOOLS =
  '# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>';
const CALLS =
  '\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>';
const EMPTY_THINK = '<think>\n\n</think>\n\n';

function qwen(form: Qwen): Template {
  return {
    name: form.name,
    boundary: 'split',
    stop: ['<|im_end|>'],
    render: (messages, options = {}) => render(form, messages, options),
  };
}

function render(form: Qwen, given: readonly Message[], options: RenderOptions): Segment[] {
  checkOrder(given, form.name, options);
  checkAbilities(given, form.name, options, { tools: true, toolCalls: true });
  const messages = form.reasons ? given.map(splitThinking) : given;
  const out = new Rendering();
  writeSystem(out, form, messages[0]!, options.tools);
  const question = lastQuestion(messages);
  for (const [i, message] of messages.entries()) {
    if (message.role === 'system') continue;
    const last = i === messages.length - 1;
    const own = { role: message.role, message: i };
    if (message.role === 'tool') {
      // Results of one round share a user turn.
      if (messages[i - 1]?.role !== 'tool') out.print('<|im_start|>user', own);
      out.print('\n<tool_response>\n', own);
      out.content(message, i);
      out.print('\n</tool_response>', own);
      if (messages[i + 1]?.role !== 'tool') {
        out.print('<|im_end|>', own);
        out.print('\n', { message: i });
      }
      continue;
    }
    out.print(`<|im_start|>${message.role}\n`, own);
    const trained = message.role === 'assistant';
    if (trained) writeAnswer(out, form, messages, i, { last, current: i > question, options });
    else out.question(message, i);
    if (last && options.continueFinalMessage) break;
    out.print('<|im_end|>', { ...own, trained });
    out.print('\n', { message: i });
  }
  if (options.addGenerationPrompt) {
    out.print('<|im_start|>assistant\n', { role: 'assistant' });
    if (form.reasons && options.thinking === 'drop') out.print(EMPTY_THINK, { role: 'assistant', thinking: true });
  }
  return out.segments;
}

function writeAnswer(
  out: Rendering,
  form: Qwen,
  messages: readonly Message[],
  i: number,
  { last, current, options }: { last: boolean; current: boolean; options: RenderOptions },
): void {
  let message = messages[i]!;
  const thought = thinkingOf(messages, i, options.thinking ?? (form.reasons ? 'last' : 'keep'));
  const block = thought !== undefined && (thought !== '' || !form.reasons);
  const empty = form.reasons && current && last && !block;
  if (block) think(out, thought, i);
  // Nothing was thought here: the empty block stands in the prompt when thinking is off, so it is never the model's to write.
  if (empty) out.print(EMPTY_THINK, { role: 'assistant', message: i, thinking: true });
  if (form.reasons && (block || empty) && typeof message.content === 'string')
    message = { ...message, content: message.content.replace(/^\n+/, '') };
  const said = out.content(message, i);
  hermesCalls(out, message, i, said);
}

function writeSystem(out: Rendering, { defaultSystem }: Qwen, first: Message, tools: readonly object[] = []): void {
  const own = first.role === 'system' ? ({ role: 'system', message: 0 } as const) : ({ role: 'system' } as const);
  if (first.role !== 'system' && defaultSystem === undefined && tools.length === 0) return;
  out.print('<|im_start|>system\n', own);
  if (first.role === 'system') out.content(first, 0);
  else out.print(defaultSystem ?? '', own);
  if (tools.length > 0) {
    out.print(first.role === 'system' || defaultSystem !== undefined ? `\n\n${TOOLS}` : TOOLS, own);
    for (const tool of tools) {
      out.print('\n', own);
      out.write(pythonJson(tool), 'system', 0);
    }
    out.print(CALLS, own);
  }
  out.print('<|im_end|>', own);
  out.print('\n');
}

/** Qwen 2: ChatML with the default system text "You are a helpful assistant." */
export const qwen2: Template = qwen({ name: 'qwen2', defaultSystem: 'You are a helpful assistant.', reasons: false });

/** Qwen 2.5 instruct: ChatML with a default system text, tools as `<tools>`, `<tool_call>` and `<tool_response>`. */
export const qwen25: Template = qwen({
  name: 'qwen2.5',
  defaultSystem: 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.',
  reasons: false,
});

/**
 * Qwen 3: as Qwen 2.5 without a default system text, and with reasoning. What the assistant wrote since the last user message
 * keeps its `<think>` block, earlier turns lose it, and a last answer without reasoning gets an empty block, which is not
 * trained. With `thinking: 'drop'` the prompt for generation ends with that empty block (the template's `enable_thinking=false`).
 */
export const qwen3: Template = qwen({ name: 'qwen3', reasons: true });
