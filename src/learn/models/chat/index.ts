export type { Asked } from './prompt.js';
export { Reply } from './reply.js';
export { type ChatOptions, type ReplyPiece, ReplyStream } from './reply-stream.js';
export { type TextGeneratorOptions, textGenerator } from './text-generator.js';
