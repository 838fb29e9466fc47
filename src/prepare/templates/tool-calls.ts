import type { Message, ToolCall } from '../data/index.js';
import { pythonJson } from './json.js';
import type { Rendering } from './rendering.js';

/** Arguments as JSON text; a text a model wrote stays as it is. */
export function argumentsText({ arguments: given }: ToolCall): string {
  return typeof given === 'string' ? given : pythonJson(given);
}

/**
 * Tool calls as Hermes and Qwen write them, one `<tool_call>` block each, on lines of their own.
 * @param newline print a newline before the first block too.
 */
export function hermesCalls(out: Rendering, { toolCalls = [] }: Message, message: number, newline: boolean): void {
  const own = { role: 'assistant', message, trained: true } as const;
  for (const [i, call] of toolCalls.entries()) {
    out.print(`${newline || i > 0 ? '\n' : ''}<tool_call>\n{"name": "`, own);
    out.write(call.name, 'assistant', message);
    out.print('", "arguments": ', own);
    out.write(argumentsText(call), 'assistant', message);
    out.print('}\n</tool_call>', own);
  }
}
