import type { Message, Role } from '../data/index.js';

/** A stretch of rendered text and what it is. Joined, the texts of a rendering are exactly the rendered string. */
export interface Segment {
  text: string;
  /** Whose text it is; `template` for text between turns. The header and the end of a turn carry the role of that turn. */
  role: Role | 'template';
  /** Written by the template. Special tokens are recognised only here: text from data never becomes one. */
  control: boolean;
  /** Part of what the model is to produce: an assistant's content and its end of turn. */
  trained: boolean;
  /** Index of the message it belongs to. */
  message?: number;
}

export interface RenderOptions {
  /** End with the header of an assistant turn, for generation. */
  addGenerationPrompt?: boolean;
  /** The tokenizer's beginning-of-sequence text, for templates that print one. */
  bosToken?: string;
  /** The tokenizer's end-of-sequence text, for templates that end turns with it. Without it that end is left out. */
  eosToken?: string;
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
