import * as tf from '@tensorflow/tfjs-core';
import { type Model, ReplyStream } from '../../../src/learn/models/index.js';
import { type Tokenizer, trainBPE } from '../../../src/prepare/tokens/index.js';

/** A tokenizer with the tokens of ChatML. */
export const tokenizer: Tokenizer = trainBPE(['the quick brown fox says hello', 'user\n', 'assistant\n', 'system\n'], {
  vocabSize: 330,
  minFrequency: 1,
  specialTokens: ['<|endoftext|>', '<|im_start|>', '<|im_end|>'],
});

/** A model that says what it is told to say, whatever it is asked: `script` again and again. */
export class Scripted {
  readonly config: { vocabSize: number; maxPositionEmbeddings: number };
  readonly stopIds: number[] = [0];
  readonly adapters = new Map();
  readonly inUse: string[] = [];
  readonly directory: string | undefined;
  /** Prompts it got. */
  readonly asked: number[][] = [];
  /** Steppers that were not disposed. */
  open = 0;

  constructor(
    readonly script: readonly number[],
    { context = 10_000, vocabSize = tokenizer.vocabSize }: { context?: number; vocabSize?: number } = {},
  ) {
    this.config = { vocabSize, maxPositionEmbeddings: context };
  }

  /** As what functions of models take. */
  get model(): Model {
    return this as unknown as Model;
  }

  chat(...args: Parameters<Model['chat']>): ReplyStream {
    const [asked, options = {}] = args;
    return new ReplyStream(this.model, asked, { tokenizer, template: 'chatml', ...options });
  }

  stepper(): ReturnType<Model['stepper']> {
    this.open++;
    let said: number[] = [];
    const logits = () => {
      const ids = said.map(at => this.script[at % this.script.length]!);
      return tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(ids, 'int32'), this.config.vocabSize), 'float32') as tf.Tensor2D);
    };
    return {
      get rows() {
        return said.length;
      },
      admit: prompts => {
        this.asked.push(...prompts.map(prompt => [...prompt]));
        said = [...said, ...prompts.map(() => 0)];
        const all = logits();
        const last = tf.slice(all, [said.length - prompts.length, 0]);
        all.dispose();
        return last as tf.Tensor2D;
      },
      advance: () => {
        said = said.map(at => at + 1);
        return logits();
      },
      select: rows => {
        said = rows.map(row => said[row]!);
      },
      dispose: () => {
        this.open--;
      },
    };
  }
}
