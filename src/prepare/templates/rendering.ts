import type { Message, Part, Role } from '../data/index.js';
import type { Segment } from './types.js';

/** Which ends of a text lose their white space. */
export type Trim = 'both' | 'end' | undefined;

/** Whose text is printed, and of which message. */
export interface Printed {
  role?: Segment['role'];
  message?: number;
  trained?: boolean;
  thinking?: boolean;
}

/** Collects the segments of a rendering. Empty texts are left out. */
export class Rendering {
  readonly segments: Segment[] = [];

  /** Text of the template itself. */
  print(text: string, { role = 'template', trained = false, message, thinking }: Printed = {}): void {
    if (text === '') return;
    const segment: Segment = { text, role, control: true, trained };
    if (message !== undefined) segment.message = message;
    if (thinking) segment.thinking = true;
    this.segments.push(segment);
  }

  /** Text from the data. */
  write(text: string, role: Role, message: number, options: { thinking?: boolean; trained?: boolean } = {}): void {
    if (text === '') return;
    const segment: Segment = { text, role, control: false, trained: options.trained ?? role === 'assistant', message };
    if (options.thinking) segment.thinking = true;
    this.segments.push(segment);
  }

  /** The content of a message, part by part. Returns whether there was any text. */
  content(message: Message, index: number, trim?: Trim): boolean {
    const { content, role } = message;
    if (typeof content === 'string') {
      const text = trimmed(content, trim);
      this.write(text, role, index);
      return text !== '';
    }
    const before = this.segments.length;
    for (const { text, weight, train } of trimParts(content, trim)) {
      if (text === '') continue;
      const segment: Segment = { text, role, control: false, trained: role === 'assistant', message: index };
      if (weight !== undefined) segment.weight = weight;
      if (train !== undefined) segment.train = train;
      this.segments.push(segment);
    }
    return this.segments.length > before;
  }

  /** The content of a user message and, on a new line, its context passage. */
  question(message: Message, index: number, trim?: Trim): void {
    if (!message.input) {
      this.content(message, index, trim);
      return;
    }
    if (this.content(message, index, trim === 'both' ? 'both' : undefined))
      this.print('\n', { role: message.role, message: index });
    this.write(trimmed(message.input, trim), message.role, index);
  }
}

function trimmed(text: string, trim: Trim): string {
  if (trim === undefined) return text;
  return trim === 'both' ? text.trim() : text.trimEnd();
}

/** Trim the joined text of parts: white space goes at its two ends, not where parts meet. */
function trimParts(parts: readonly Part[], trim: Trim): Part[] {
  const kept = parts.map(part => ({ ...part }));
  if (trim === undefined) return kept;
  for (let i = kept.length - 1; i >= 0; i--) {
    kept[i]!.text = kept[i]!.text.trimEnd();
    if (kept[i]!.text !== '') break;
  }
  if (trim === 'both') {
    for (const part of kept) {
      part.text = part.text.trimStart();
      if (part.text !== '') break;
    }
  }
  return kept;
}
