import { BadInput } from '../../base/core/index.js';
import type { Message } from '../data/index.js';
import { define } from './define.js';
import type { Rendering } from './rendering.js';
import { argumentsText } from './tool-calls.js';
import type { Template } from './types.js';

/**
 * Llama 2 chat (meta-llama/llama): `<s>[INST] <<SYS>>\n{s}\n<</SYS>>\n\n{u} [/INST] {a} </s>`, every exchange with its own BOS.
 * The spaces around an answer are the model's to write, as they are in training; content is trimmed.
 */
export const llama2: Template = define({
  name: 'llama-2',
  tokens: { bos: '<s>', eos: '</s>' },
  system: { fold: { before: '<<SYS>>\n', end: '\n<</SYS>>\n\n' } },
  user: { before: '{bos}[INST] ', end: ' [/INST]', trim: true },
  assistant: { before: '', lead: ' ', end: ' {eos}', trim: true },
});

/**
 * Llama 3 instruct: `<|start_header_id|>role<|end_header_id|>\n\ntext<|eot_id|>`, content trimmed. Tool results have the role
 * `ipython` and a call is one line of JSON, as from Llama 3.1 on; their descriptions differ between versions and belong into
 * the system message.
 */
export const llama3: Template = define({
  name: 'llama-3',
  tokens: { bos: '<|begin_of_text|>' },
  bos: true,
  system: header('system'),
  user: header('user'),
  assistant: header('assistant'),
  tool: header('ipython'),
  toolCalls: oneCall,
});

function header(role: string): { before: string; end: string; trim: boolean } {
  return { before: `<|start_header_id|>${role}<|end_header_id|>\n\n`, end: '<|eot_id|>', trim: true };
}

function oneCall(out: Rendering, { toolCalls = [] }: Message, message: number, said: boolean): void {
  if (toolCalls.length > 1 || said) {
    throw new BadInput({
      problem: `template llama-3 cannot hold the tool calls of message ${message}`,
      expected: 'one tool call in a message, and no text beside it',
      found: `${toolCalls.length} calls${said ? ' and text' : ''}`,
      fix: 'split the message, or use qwen3, qwen2.5 or chatml',
    });
  }
  const own = { role: 'assistant', message, trained: true } as const;
  out.print('{"name": "', own);
  out.write(toolCalls[0]!.name, 'assistant', message);
  out.print('", "parameters": ', own);
  out.write(argumentsText(toolCalls[0]!), 'assistant', message);
  out.print('}', own);
}
