import { readFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { attentionMaps, type DecoderModel, init, load, promptTuning } from '../../../src/learn/models/index.js';
import { attention } from '../../../src/show/index.js';
import { usable } from '../../helpers/backends.js';
import { fixture } from './fixtures.js';

const CONFIG = {
  vocabSize: 50,
  hiddenSize: 16,
  intermediateSize: 24,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
};
/** What fixtures/attentions.py wrote: `families[name][layer][head][query][key]`, keys up to the query. */
interface Attentions {
  ids: number[];
  families: Record<string, number[][][][]>;
}

const IDS = [3, 14, 15, 9, 26, 5, 35];

for (const { backend, here } of await usable('native', 'wasm', 'cpu'))
  describe.skipIf(!here)(`attention maps on ${backend}`, () => {
    let model: DecoderModel | undefined;
    const made = (more: object = {}) => {
      model = init({ ...CONFIG, ...more }, { seed: 4 }) as DecoderModel;
      return model;
    };
    beforeAll(() => use(backend));
    afterEach(() => {
      model?.dispose();
      model = undefined;
    });

    it('are shares of each token before the query and itself, of every layer and head, and leave nothing behind', () => {
      const loaded = made();
      const before = tf.memory().numTensors;
      const maps = attentionMaps(loaded, IDS);
      expect(tf.memory().numTensors).toBe(before);
      expect(maps.map(({ layer, head }) => `${layer}.${head}`)).toEqual(['0.0', '0.1', '0.2', '0.3', '1.0', '1.1', '1.2', '1.3']);
      for (const { weights } of maps)
        for (const [query, row] of weights.entries()) {
          expect(row.length).toBe(IDS.length);
          expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
          expect(Array.from(row.subarray(query + 1))).toEqual(Array.from({ length: IDS.length - 1 - query }, () => 0));
        }
      expect(attention({ tokens: IDS.map(String), maps }).alt).toMatch(/^8 maps; in layer 0, head 0 token \d/);
    });

    it("equal transformers' output_attentions, whatever the family's way to attend", async () => {
      const { ids, families } = JSON.parse(await readFile(fixture('attentions.json'), 'utf8')) as Attentions;
      for (const [name, layers] of Object.entries(families)) {
        model = (await load(fixture(name))) as DecoderModel;
        const maps = attentionMaps(model, ids);
        expect(maps.length, name).toBe(layers.flat().length);
        for (const { layer, head, weights } of maps)
          for (const [query, theirs] of layers[layer]![head]!.entries()) {
            const ours = weights[query]!;
            const worst = Math.max(...theirs.map((weight, key) => Math.abs(weight - ours[key]!)));
            expect(worst, `${name}, layer ${layer}, head ${head}, token ${query}`).toBeLessThan(1e-5);
          }
        model.dispose();
        model = undefined;
      }
    });

    it('change where the model looks: a token that is changed moves the weights of those after it alone', () => {
      const loaded = made();
      const [a, b] = [IDS, [...IDS.slice(0, 4), 40, ...IDS.slice(5)]].map(ids => attentionMaps(loaded, ids, { layers: [-1] }));
      expect(a!.length).toBe(4);
      for (const [head, map] of a!.entries()) {
        for (let query = 0; query < 4; query++)
          for (const [key, weight] of map.weights[query]!.entries())
            expect(b![head]!.weights[query]![key]).toBeCloseTo(weight, 5);
        expect(Math.abs(b![head]!.weights[4]![0]! - map.weights[4]![0]!)).toBeGreaterThan(1e-7);
      }
    });

    it('keep to a sliding window', () => {
      const loaded = made({ modelType: 'mistral', slidingWindow: 3, layerTypes: ['sliding_attention', 'full_attention'] });
      for (const { layer, weights } of attentionMaps(loaded, IDS))
        expect(weights[6]!.filter(weight => weight > 0).length, `layer ${layer}`).toBe(layer === 0 ? 3 : 7);
    });

    it('give the rest to virtual tokens', () => {
      const loaded = made();
      loaded.attach(promptTuning({ virtualTokens: 5, seed: 2 }));
      for (const { weights } of attentionMaps(loaded, IDS)) {
        expect(weights.length).toBe(IDS.length);
        expect(weights[0]!.reduce((a, b) => a + b, 0)).toBeLessThan(0.9);
      }
    });

    it('refuse what cannot be', () => {
      const loaded = made();
      expect(() => attentionMaps(loaded, IDS, { layers: [2] })).toThrow(/no such layer.*-2 to 1/i);
      expect(() =>
        attentionMaps(
          loaded,
          Array.from({ length: 5000 }, () => 1),
        ),
      ).toThrow(/too many attention weights/i);
    });
  });
