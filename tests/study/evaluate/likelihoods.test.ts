import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { BadInput, Interrupted, viewOf } from '../../../src/base/core/index.js';
import { init, load, type Model } from '../../../src/learn/models/index.js';
import type { Row } from '../../../src/prepare/data/index.js';
import { get } from '../../../src/prepare/templates/index.js';
import { Tokenizer, trainBPE } from '../../../src/prepare/tokens/index.js';
import { choices, logLikelihoods, perplexity } from '../../../src/study/evaluate/index.js';
import { leftBehind, NOTHING } from '../../helpers/leak.js';
import { fixture } from '../../learn/models/fixtures.js';

const folder = fileURLToPath(new URL('./fixtures', import.meta.url));

/** What lm-eval with transformers gave; see fixtures/likelihoods.py. */
const expected = JSON.parse(readFileSync(`${folder}/likelihoods.json`, 'utf8')) as {
  window: number;
  rows: {
    context: string;
    choices: string[];
    gold: number;
    logLikelihoods: number[];
    chosen: { nothing: number; characters: number; bytes: number };
  }[];
  texts: string[];
  rolling: number[];
  words: number[];
  bytes: number[];
};

const rowOf = ({ context, choices, gold }: { context: string; choices: string[]; gold: number }): Row =>
  ({
    messages: [
      { role: 'user', content: context },
      { role: 'assistant', content: choices[gold]! },
    ],
    choices,
  }) as Row;

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

describe('on a model of transformers', () => {
  let model: Model;
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    await use('wasm');
    model = await load(fixture('qwen2'));
    tokenizer = await Tokenizer.fromFile(`${folder}/tokenizer`);
  });
  afterAll(() => model?.dispose());

  it("choices have lm-eval's log-likelihoods, acc, acc_norm and acc_bytes", async () => {
    const rows = expected.rows.map(rowOf);
    const found = await choices({ model, tokenizer, rows });
    found.samples.forEach((sample, i) => {
      const { logLikelihoods, chosen } = expected.rows[i]!;
      sample.logLikelihoods.forEach((ll, k) => {
        expect(ll).toBeCloseTo(logLikelihoods[k]!, 3);
      });
      expect(sample.chosen).toMatchObject(chosen);
    });
    const table = await found.table();
    expect(table.numRows()).toBe(rows.length);
    expect(table.array('correct').filter(Boolean).length / rows.length).toBe(found.acc);
    expect(table.array('correct by characters').filter(Boolean).length / rows.length).toBe(found.accNorm);
    expect(table.array('expected')).toEqual(rows.map(row => row.messages.at(-1)!.content));
    const share = (by: 'nothing' | 'characters' | 'bytes') =>
      expected.rows.filter(row => row.chosen[by] === row.gold).length / rows.length;
    expect([found.acc, found.accNorm, found.accBytes]).toEqual([share('nothing'), share('characters'), share('bytes')]);
    expect(found.acc).not.toBe(0);
    expect(found.chance).toBeCloseTo((1 / 3 + 1 / 3 + 1 / 2 + 1 / 3 + 1 / 4) / 5, 12);
    const { logLikelihoods, tokens, chosen } = found.samples[0]!;
    const each = logLikelihoods.map((ll, k) => ll / tokens[k]!);
    expect(chosen.tokens).toBe(each.indexOf(Math.max(...each)));
    expect(viewOf(found)).toMatchObject({ kind: 'intervals', data: { unit: 'share', reference: found.chance } });
  });

  it("perplexity is lm-eval's, over windows too", async () => {
    const { texts, rolling, words, bytes, window } = expected;
    const found = await perplexity({ model, tokenizer, texts, window });
    const nats = -sum(rolling);
    expect(found.nats).toBeCloseTo(nats, 2);
    expect([found.words, found.bytes]).toEqual([sum(words), sum(bytes)]);
    expect(found.word / Math.exp(nats / sum(words))).toBeCloseTo(1, 4);
    expect(found.byte / Math.exp(nats / sum(bytes))).toBeCloseTo(1, 4);
    expect(found.bitsPerByte).toBeCloseTo(nats / sum(bytes) / Math.LN2, 4);
    expect(found.token).toBeCloseTo(Math.exp(found.nats / found.tokens), 8);
    // A window as long as the text sees more of it.
    const whole = await perplexity({ model, tokenizer, texts });
    expect(whole.tokens).toBe(found.tokens);
    expect(whole.nats).not.toBeCloseTo(found.nats, 2);
    expect(viewOf(found)?.kind).toBe('table');
  });

  it('the likelihood of a text is the sum of its tokens\u2019 losses, whatever stands beside it; nothing stays behind', async () => {
    const ids = (text: string) => tokenizer.encodeContent(text).ids;
    const requests = expected.texts.map(text => ({ context: [1], continuation: ids(text).slice(0, 60) }));
    const together = await logLikelihoods(requests, { model });
    for (const [i, request] of requests.entries()) {
      const losses = model.tokenLosses({ ids: [[1, ...request.continuation]] })[0]!;
      expect(together[i]).toBeCloseTo(-sum(losses.slice(1)), 3);
      expect((await logLikelihoods([request], { model }))[0]).toBeCloseTo(together[i]!, 3);
    }
    expect(await leftBehind(() => choices({ model, tokenizer, rows: expected.rows.map(rowOf) }))).toEqual(NOTHING);
    expect(await leftBehind(() => perplexity({ model, tokenizer, texts: expected.texts, window: 24 }))).toEqual(NOTHING);
  });

  it('what cannot be weighed is refused', async () => {
    const [first] = expected.rows;
    const row = rowOf(first!);
    const asked = (changed: object) => choices({ model, tokenizer, rows: [{ ...row, ...changed } as Row] });
    await expect(asked({ choices: [] })).rejects.toThrow(/row 0 has no choices/);
    await expect(asked({ choices: ['animal'] })).rejects.toThrow(/one choice/);
    await expect(asked({ choices: ['animal', ' '] })).rejects.toThrow(/choice 1 of row 0 is empty/);
    await expect(asked({ choices: ['no', 'yes'] })).rejects.toThrow(/none of its choices/);
    await expect(choices({ model, tokenizer, rows: [] })).rejects.toThrow(/no rows/);
    await expect(perplexity({ model, tokenizer, texts: [] })).rejects.toThrow(/no texts/);
    await expect(perplexity({ model, tokenizer, texts: ['cat', ''] })).rejects.toThrow(/text 1 is empty/);
    await expect(perplexity({ model, tokenizer, texts: ['cat'], window: 0 })).rejects.toThrow(BadInput);
    await expect(perplexity({ model, tokenizer, texts: ['cat'], window: 9999 })).rejects.toThrow(/1 to \d+, the model's context/);
    await expect(perplexity({ model, tokenizer, texts: 'cat' as unknown as string[] })).rejects.toThrow(/no texts/);
    await expect(logLikelihoods([{ context: [], continuation: [3] }], { model })).rejects.toThrow(/nothing stands before/);
    await expect(logLikelihoods([{ context: [1], continuation: [] }], { model })).rejects.toThrow(/no tokens/);
    const long = Array.from({ length: 96 }, () => 3);
    await expect(logLikelihoods([{ context: [1], continuation: long }], { model })).rejects.toThrow(
      /longer than the model's context/,
    );
    const signal = AbortSignal.abort();
    await expect(perplexity({ model, tokenizer, texts: ['cat'], signal })).rejects.toThrow(Interrupted);
  });
});

describe('with a template', () => {
  it('a choice is the answer without its end of turn, and its prompt what precedes it in training', async () => {
    await use('wasm');
    const tokenizer = trainBPE(['is the cat an animal yes no'], { vocabSize: 300 });
    const model = init(
      {
        vocabSize: tokenizer.vocabSize,
        hiddenSize: 16,
        intermediateSize: 16,
        numHiddenLayers: 1,
        numAttentionHeads: 2,
        maxPositionEmbeddings: 128,
      },
      { seed: 3 },
    );
    const row = rowOf({ context: 'is the cat an animal', choices: ['yes', 'no'], gold: 0 });
    const template = get('chatml');
    const found = await choices({ model, tokenizer, template, rows: [row] });
    const prompt = tokenizer.encode('<|im_start|>user\nis the cat an animal<|im_end|>\n<|im_start|>assistant\n').ids;
    for (const [k, choice] of ['yes', 'no'].entries()) {
      const own = tokenizer.encodeContent(choice, 'inside').ids;
      const losses = model.tokenLosses({ ids: [[...prompt, ...own]] })[0]!;
      expect(found.samples[0]!.logLikelihoods[k]).toBeCloseTo(-sum(losses.slice(prompt.length)), 4);
      expect(found.samples[0]!.tokens[k]).toBe(own.length);
    }
    // Rows of the task suite have their choices in the checker.
    const { choices: list, ...plain } = row as Row & { choices: string[] };
    const checker = { kind: 'choice', answer: 'yes', choices: list };
    for (const given of [checker, { kind: 'shape', prefix: 'answer: ', inner: { kind: 'words', most: 3, inner: checker } }]) {
      const checked = { ...plain, checker: given } as Row;
      const again = await choices({ model, tokenizer, template, rows: [checked] });
      expect(again.samples[0]!.logLikelihoods).toEqual(found.samples[0]!.logLikelihoods);
      expect(again.samples[0]!.gold).toBe(0);
    }
    model.dispose();
  });
});

it('texts that begin alike are worked on together, and every one gets its own likelihood', async () => {
  const passes: { ids: number[][]; from?: number[] }[] = [];
  const model = {
    tokenLosses(batch: { ids: number[][]; from?: number[] }) {
      passes.push(batch);
      return batch.ids.map((row, b) => row.map((id, t) => (t < batch.from![b]! ? Number.NaN : id / 1e3)));
    },
  };
  const long = (id: number) => Array.from({ length: 300 }, () => id);
  // Questions behind two sets of examples, mixed, each with two choices; and short ones.
  const requests = Array.from({ length: 60 }, (_, i) => ({
    context: [...(i % 3 < 2 ? long(1 + (i % 3)) : []), 10 + (i >> 1)],
    continuation: [100 + i, 7],
  }));
  const found = await logLikelihoods(requests, { model });
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(-(107 + i) / 1e3, 9);
  });
  const beginnings = passes.map(({ ids }) => [...new Set(ids.map(row => (row.length > 100 ? row[0] : 'short')))]);
  expect(beginnings.flat().toSorted()).toEqual([1, 2, 'short']);
  expect(beginnings.filter(kinds => kinds.length > 1)).toEqual([]);
  expect(passes.every(({ ids, from }) => ids.every((row, b) => from![b] === row.length - 2))).toBe(true);
});
