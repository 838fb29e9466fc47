import type { Message, Role } from '../data/index.js';

/**
 * A stretch of rendered text and what it is. Joined, the texts of a rendering are exactly the rendered string.
 *
 * **The rule of control text.** `control` says who wrote the text. *True*: the template printed it. Where such text holds
 * added tokens of the tokenizer (`<|im_start|>`, `</s>`, `<think>`), `tokens.encode` finds them with `tokenizer.splitAdded`
 * and places their ids; one segment may hold several, with ordinary text between. *False*: the text is data. It is never
 * searched, so text that looks like a special token stays text. A template must therefore never join printed text and
 * data in one segment. `role` does not decide this: headers and ends of turns are control text with the role of their turn;
 * text that belongs to no turn has the role `template`.
 */
export interface Segment {
  text: string;
  /** Whose text it is; `template` for text between turns. The header and the end of a turn carry the role of that turn. */
  role: Role | 'template';
  /** Printed by the template: see the rule above. */
  control: boolean;
  /** Part of what the model is to produce: an assistant's content, its tool calls and its end of turn. */
  trained: boolean;
  /** Index of the message it belongs to. */
  message?: number;
  /** Training weight of a part of the message (`Part.weight`); `tokens.encode` multiplies it with the message's own. Defaults to 1. */
  weight?: number;
  /** The user's own word on this part (`Part.train`); it stands above every mask strategy. */
  train?: boolean;
  /** The reasoning of an assistant message, tags included: `trainThinking: false` masks it. */
  thinking?: boolean;
}

/** What becomes of the reasoning of assistant messages: see {@link RenderOptions.thinking}. */
export type Thinking = 'keep' | 'last' | 'drop';

export interface RenderOptions {
  /** End with the header of an assistant turn, for generation. */
  addGenerationPrompt?: boolean;
  /** Leave the last assistant turn open, so that generation goes on with it. */
  continueFinalMessage?: boolean;
  /** The tokenizer's beginning-of-sequence text, for templates that print one. */
  bosToken?: string;
  /** The tokenizer's end-of-sequence text, for templates that end turns with it. Without it that end is left out. */
  eosToken?: string;
  /** Tools the assistant may call, as JSON schemas in OpenAI's layout. */
  tools?: readonly object[];
  /** Documents for retrieval, for templates that print them. */
  documents?: readonly object[];
  /**
   * Reasoning (`message.thinking`): `keep` prints it in every assistant turn, `last` only after the last user message (what
   * reasoning models see in use: history comes without it), `drop` nowhere. Defaults to what the template does by itself.
   */
  thinking?: Thinking;
}

/** Turns a conversation into text, piece by piece. */
export interface Template {
  readonly name: string;
  /**
   * What happens where template text and a response meet without a control token between: `split` makes the place a
   * token boundary, as it is in generation; `whole` tokenises across it and masks the tokens that straddle it.
   */
  readonly boundary: 'split' | 'whole';
  /** Texts that end an assistant turn; `eos` stands for the tokenizer's end-of-sequence token. Generation stops on them. */
  readonly stop: readonly string[];
  /** @throws BadInput for a conversation the template cannot express. */
  render(messages: readonly Message[], options?: RenderOptions): Segment[];
}
