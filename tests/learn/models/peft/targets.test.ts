import { describe, expect, it } from 'vitest';
import { BadInput } from '../../../../src/base/core/index.js';
import { pythonPattern, toPython } from '../../../../src/learn/models/peft/patterns.js';
import { matchingModules, patternValues } from '../../../../src/learn/models/peft/targets.js';

const NAMES = [0, 1, 2, 10].flatMap(layer => [
  `model.layers.${layer}.self_attn.q_proj`,
  `model.layers.${layer}.self_attn.v_proj`,
  `model.layers.${layer}.mlp.up_proj`,
  `model.layers.${layer}.mlp.experts.1.w1`,
]);
const layersOf = (names: string[]) => names.map(name => Number(name.split('.')[2]));

describe('modules named by targets, as PEFT has it', () => {
  it('a name is a whole name or its end after a dot', () => {
    expect(matchingModules({ targets: ['q_proj'] }, NAMES)).toHaveLength(4);
    expect(matchingModules({ targets: ['self_attn.q_proj'] }, NAMES)).toHaveLength(4);
    expect(matchingModules({ targets: ['proj'] }, NAMES)).toEqual([]);
    expect(matchingModules({ targets: ['model.layers.1.mlp.up_proj'] }, NAMES)).toEqual(['model.layers.1.mlp.up_proj']);
  });

  it('a pattern matches whole names', () => {
    expect(matchingModules({ targets: 'q_proj' }, NAMES)).toEqual([]);
    expect(matchingModules({ targets: String.raw`.*\.(q|v)_proj` }, NAMES)).toHaveLength(8);
    expect(matchingModules({ targets: String.raw`model\.layers\.1\.(?P<kind>mlp|self_attn)\..*proj` }, NAMES)).toHaveLength(3);
    expect(matchingModules({ targets: '(?i).*Q_PROJ' }, NAMES)).toHaveLength(4);
  });

  it('leaves out what is excluded and what is saved as a whole', () => {
    expect(matchingModules({ targets: ['q_proj', 'v_proj'], exclude: ['v_proj'] }, NAMES)).toHaveLength(4);
    expect(matchingModules({ targets: ['q_proj'], exclude: String.raw`.*layers\.1\..*` }, NAMES)).toHaveLength(3);
    expect(matchingModules({ targets: ['q_proj', 'up_proj'], modulesToSave: ['mlp'] }, NAMES)).toHaveLength(4);
  });

  it('layers: the first number of a name counts, and names in full are not asked', () => {
    expect(layersOf(matchingModules({ targets: ['q_proj'], layers: [1, 10] }, NAMES))).toEqual([1, 10]);
    expect(layersOf(matchingModules({ targets: ['w1'], layers: [2] }, NAMES))).toEqual([2]);
    expect(layersOf(matchingModules({ targets: ['w1'], layers: [1], layersPattern: ['experts'] }, NAMES))).toEqual([0, 1, 2, 10]);
    expect(matchingModules({ targets: ['q_proj'], layers: [1], layersPattern: ['h'] }, NAMES)).toEqual([]);
    const full = 'model.layers.0.self_attn.q_proj';
    expect(layersOf(matchingModules({ targets: [full, 'q_proj'], layers: [2] }, NAMES))).toEqual([0, 2]);
  });

  it('ranks by the first pattern that the end of a name matches', () => {
    const ranks = patternValues({ 'layers\\.1\\..*up_proj': 2, up_proj: 3, '^model.layers.0.self_attn.q_proj': 4 }, NAMES, 'r');
    expect(ranks.get('model.layers.1.mlp.up_proj')).toBe(2);
    expect(ranks.get('model.layers.2.mlp.up_proj')).toBe(3);
    expect(ranks.get('model.layers.0.self_attn.q_proj')).toBe(4);
    expect(ranks.has('model.layers.1.self_attn.q_proj')).toBe(false);
  });

  it('a pattern that never ends is stopped', () => {
    const names = [`model.${'a'.repeat(60)}.q_proj`];
    expect(() => matchingModules({ targets: '(model|.*)((a+)+)+b' }, names)).toThrow(BadInput);
  });

  it('patterns that are none, and the way back to Python', () => {
    expect(() => matchingModules({ targets: '(' }, NAMES)).toThrow(/pattern/);
    expect(toPython(/.*(?<layer>\d)\.(?=q)(?<!x)q_proj/i)).toBe(String.raw`(?i).*(?P<layer>\d)\.(?=q)(?<!x)q_proj`);
    expect(pythonPattern(toPython(/a(?<n>b)/), body => `^(?:${body})$`, 'x').test('ab')).toBe(true);
  });
});
