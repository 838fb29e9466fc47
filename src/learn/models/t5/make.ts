import type { Architecture } from '../architecture.js';
import { createParameter, type ModelParameter } from '../parameter.js';
import { HEAD } from '../reading.js';
import { initialValues } from '../weights.js';
import { type T5Config, t5Config } from './config.js';
import { parseT5Config } from './hugging-face.js';
import { T5Model } from './t5-model.js';
import { isT5Copy, SHARED, t5WeightSpecs } from './weights.js';

/**
 * What loading needs to know of a T5.
 *
 * transformers 5 writes `tie_word_embeddings: true` for all of them: whether the head is a matrix of its own is told by the files.
 * Where they hold one that differs from the embedding, it is used, as transformers does.
 */
export function t5Architecture(raw: Record<string, unknown>, file?: string): Architecture {
  const config = parseT5Config(raw, file);
  return {
    ...architecture(config),
    fitting: names => architecture(config.tieWordEmbeddings && names.has(HEAD) ? untied(config) : config),
  };
}

function untied(config: T5Config): T5Config {
  return { ...config, tieWordEmbeddings: false };
}

function architecture(config: T5Config): Architecture {
  return {
    specs: t5WeightSpecs(config),
    canonical: name => (isT5Copy(name) ? undefined : name),
    make: (weights, original) => {
      const head = weights.find(({ name }) => name === HEAD);
      const shared = weights.find(({ name }) => name === SHARED)!;
      // A copy of the embedding that config.json calls tied is one matrix with it.
      const tied = head && original?.config?.tie_word_embeddings !== false && equal(head, shared);
      if (!tied) return new T5Model(config, weights, original);
      head.dispose();
      const own = weights.filter(weight => weight !== head);
      return new T5Model({ ...config, tieWordEmbeddings: true }, own, original);
    },
  };
}

function equal(a: ModelParameter, b: ModelParameter): boolean {
  const [x, y] = [a.read(), b.read()];
  try {
    const [left, right] = [x.dataSync(), y.dataSync()];
    return left.every((value, i) => value === right[i]);
  } finally {
    x.dispose();
    y.dispose();
  }
}

/** A new T5 with random weights: `initT5({ vocabSize: tokenizer.vocabSize, hiddenSize: 64 }, { seed: 1 })`. Equal seeds give equal weights. */
export function initT5(config: Partial<T5Config> = {}, { seed = 0 }: { seed?: number | string } = {}): T5Model {
  const whole = t5Config(config);
  const weights = t5WeightSpecs(whole).map(spec => createParameter(spec.name, spec.shape, initialValues(spec, seed)));
  return new T5Model(whole, weights);
}
