import type { Tokenizer } from '../../prepare/tokens/index.js';
import { warn } from './checkpoints/index.js';
import type { TrainableModel, TrainRow } from './types.js';

/** Tokens named in the warning. */
const NAMED = 8;

/**
 * Warns once when rows hold tokens that this training cannot teach: added for a chat template, or never used by the base, with an
 * embedding that an adapter leaves frozen. The model would then neither understand nor say them.
 */
export class FrozenTokens {
  readonly #model: TrainableModel;
  readonly #tokenizer: Tokenizer | undefined;
  #untrained: ReadonlySet<number> | undefined;
  #warned = false;

  constructor(model: TrainableModel, tokenizer: Tokenizer | undefined) {
    this.#model = model;
    this.#tokenizer = tokenizer;
  }

  /** Look at the rows of a step before it is taken. */
  look(rows: readonly TrainRow[]): void {
    this.#untrained ??= this.#model.untrainedTokens?.() ?? new Set();
    if (this.#warned || this.#untrained.size === 0) return;
    const found = new Set<number>();
    for (const { ids, labels } of rows) for (const id of [...ids, ...labels]) if (this.#untrained.has(id)) found.add(id);
    if (found.size === 0) return;
    this.#warned = true;
    const ids = [...found].sort((a, b) => a - b);
    const named = ids.slice(0, NAMED).map(id => `${id}${this.#tokenizer ? ` (${this.#tokenizer.decode([id])})` : ''}`);
    const more = ids.length > NAMED ? ` and ${ids.length - NAMED} more` : '';
    warn(
      `The rows have tokens whose embeddings were never trained and that stay frozen in this training, so that they will not be learned: ${named.join(', ')}${more}. ` +
        `Train them too: models.lora({ trainTokens: [${ids.slice(0, NAMED).join(', ')}${more && ', …'}] }), or modulesToSave with the embedding and the head.`,
    );
  }
}
