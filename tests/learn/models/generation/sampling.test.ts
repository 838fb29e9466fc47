import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../../src/base/core/index.js';
import { recommendedSampling } from '../../../../src/learn/models/generation/recommended.js';
import { choose, penalised, type SamplingOptions, survivors } from '../../../../src/learn/models/generation/sampling.js';

interface Case {
  options: SamplingOptions;
  logits: number[];
  seen: number[];
  kept: number[];
  logProbs: number[];
  raw: number[];
}
const cases = JSON.parse(await readFile(new URL('./fixtures/sampling.json', import.meta.url), 'utf8')) as Case[];

describe("sampling against transformers' logits processors", () => {
  it.each(cases.map(c => [JSON.stringify(c.options), c] as const))('%s', (_, { options, logits, seen, kept, logProbs, raw }) => {
    const row = Float32Array.from(logits);
    const scores = penalised(row, new Set(seen), options.repetitionPenalty);
    expect(survivors(scores, options) ?? Array.from(row.keys())).toEqual(kept);
    const drawn = new Map<number, number>();
    const random = new Random(1);
    const n = 4000;
    for (let i = 0; i < n; i++) {
      const { token, logProb, processedLogProb } = choose(row, options, random, new Set(seen), i < 50);
      drawn.set(token, (drawn.get(token) ?? 0) + 1);
      if (i >= 50) continue;
      expect(logProb).toBeCloseTo(raw[token]!, 4);
      expect(processedLogProb).toBeCloseTo(logProbs[kept.indexOf(token)]!, 4);
    }
    // Four standard deviations of a share.
    kept.forEach((token, i) => {
      const p = Math.exp(logProbs[i]!);
      const share = (drawn.get(token) ?? 0) / n;
      expect(Math.abs(share - p)).toBeLessThan(4.5 * Math.sqrt((p * (1 - p)) / n) + 1e-3);
    });
    expect([...drawn.keys()].every(token => kept.includes(token))).toBe(true);
    // The logits are the caller's.
    expect(row).toEqual(Float32Array.from(logits));
  });

  it('a vocabulary of 50,000: top-k and top-p agree with a full sort', () => {
    const random = new Random(7);
    const logits = Float32Array.from({ length: 50_000 }, () => 2 * random.normal());
    const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!);
    expect(survivors(logits, { temperature: 1, topK: 50 })).toEqual(order.slice(0, 50).sort((a, b) => a - b));
    const total = order.reduce((sum, id) => sum + Math.exp(logits[id]!), 0);
    for (const topP of [0.1, 0.5, 0.999]) {
      let sum = 0;
      const nucleus = order.filter(id => {
        const before = sum;
        sum += Math.exp(logits[id]!) / total;
        return before < topP;
      });
      expect(survivors(logits, { temperature: 1, topP })!.length).toBe(nucleus.length);
    }
  });

  it('greedy takes the most likely token, after the penalty', () => {
    const logits = Float32Array.from([1, 4, 3.5, -1]);
    expect(choose(logits, {}, new Random(0)).token).toBe(1);
    expect(choose(logits, { repetitionPenalty: 2 }, new Random(0), [1]).token).toBe(2);
    expect(choose(logits, {}, new Random(0), [], true).logProb).toBeCloseTo(
      4 - Math.log(Math.exp(1) + Math.exp(4) + Math.exp(3.5) + Math.exp(-1)),
      6,
    );
  });
});

describe('what generation_config.json recommends', () => {
  it('is read as transformers reads it', () => {
    const of = (generation?: Record<string, unknown>) => recommendedSampling(generation, 'generation_config.json');
    expect(of()).toEqual({});
    // Qwen2.5-Instruct's.
    const qwen = { do_sample: true, repetition_penalty: 1.05, temperature: 0.7, top_p: 0.8, top_k: 20 };
    expect(of(qwen)).toEqual({ repetitionPenalty: 1.05, temperature: 0.7, topP: 0.8, topK: 20 });
    expect(of({ do_sample: true })).toEqual({ temperature: 1, topK: 50 });
    expect(of({ do_sample: true, top_k: 0, top_p: 1, min_p: 0.1 })).toEqual({ temperature: 1, minP: 0.1 });
    // Without do_sample its other numbers count for nothing.
    expect(of({ temperature: 0.6, top_p: 0.9, repetition_penalty: 1.1 })).toEqual({ repetitionPenalty: 1.1 });
    expect(() => of({ do_sample: true, temperature: 'hot' })).toThrow(/generation_config\.json.*temperature/);
    expect(() => of({ do_sample: true, top_p: 1.5 })).toThrow(/at most 1/);
  });
});
