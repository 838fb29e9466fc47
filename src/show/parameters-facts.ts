import { BadInput, quote, viewOf } from '../base/core/index.js';

/** A weight as a model's view lists it. */
export interface WeightFacts {
  /** Its Hugging Face name, e.g. `model.layers.0.self_attn.q_proj.weight`. */
  name: string;
  shape: readonly number[];
  trainable: boolean;
  /** `base`, or the name of the adapter it belongs to. Absent: `base`. */
  group?: string;
}

/** What a model's view holds, as far as it is shown here. */
export interface ModelFacts {
  architecture?: string;
  weights: readonly WeightFacts[];
  adapters?: readonly { name: string; kind?: string }[];
}

/** A model, or the data of its view (a snapshot: `structuredClone(model[Symbol.for('tunebook.view')]().data)`). */
export type ModelSource = ModelFacts | object;

/** Parameters counted by group and part of the network. */
export interface ParameterCount {
  group: string;
  part: string;
  parameters: number;
  trainable: number;
}

/** One way to train a model: how many parameters it has, how many of them learn. */
export interface Configuration {
  label: string;
  parameters: number;
  trainable: number;
  counts: readonly ParameterCount[];
}

/** The data of a model's view. Throws BadInput where it does not list weights. */
export function modelFacts(source: unknown): ModelFacts {
  const view = viewOf(source);
  const data = (view ? view.data : source) as Partial<ModelFacts> | null | undefined;
  if (typeof data !== 'object' || data === null || !Array.isArray(data.weights))
    throw new BadInput({
      problem: 'a parameter figure needs a model',
      expected: 'a model, the data of its view, or an array of { label, model }',
      found: quote(source),
      fix: "show.parameters(model), or show.parameters([{ label: 'LoRA', model: a }, { label: 'full', model: b }])",
    });
  data.weights.forEach((weight: Partial<WeightFacts> | null, index) => {
    const sized = Array.isArray(weight?.shape) && weight.shape.every(size => Number.isSafeInteger(size) && size >= 0);
    if (typeof weight?.name === 'string' && sized) return;
    throw new BadInput({
      problem: `weight ${index} has no name or no shape`,
      where: { key: `weights[${index}]` },
      expected: "{ name: 'lm_head.weight', shape: [100, 32], trainable: true }",
      found: quote(weight),
    });
  });
  return data as ModelFacts;
}

/** The model as it is: what is marked trainable learns. */
export function asIs(label: string, { weights }: ModelFacts): Configuration {
  return configuration(label, weights, weight => weight.trainable === true);
}

/** The same base without any adapter, every weight trained. */
export function fullTuning(label: string, { weights }: ModelFacts): Configuration {
  return configuration(
    label,
    weights.filter(weight => groupOf(weight) === BASE),
    () => true,
  );
}

/** The frozen base with one of its adapters, which learns. */
export function adapterAlone(label: string, adapter: string, { weights }: ModelFacts): Configuration {
  return configuration(
    label,
    weights.filter(weight => groupOf(weight) === BASE || groupOf(weight) === adapter),
    weight => groupOf(weight) === adapter,
  );
}

/** Names of the adapters among the weights, in their order, with their kinds where the view tells them. */
export function adaptersOf({ weights, adapters }: ModelFacts): { name: string; kind?: string }[] {
  const names = [...new Set(weights.map(groupOf))].filter(group => group !== BASE);
  return names.map(name => {
    const kind = Array.isArray(adapters) ? adapters.find(adapter => adapter?.name === name)?.kind : undefined;
    return typeof kind === 'string' ? { name, kind } : { name };
  });
}

const BASE = 'base';

function groupOf(weight: WeightFacts): string {
  return weight.group === undefined ? BASE : String(weight.group);
}

function configuration(label: string, weights: readonly WeightFacts[], learns: (weight: WeightFacts) => boolean): Configuration {
  const counts = new Map<string, ParameterCount>();
  for (const weight of weights) {
    const [group, part] = [groupOf(weight), partOf(weight.name)];
    const key = JSON.stringify([group, part]);
    const count = counts.get(key) ?? { group, part, parameters: 0, trainable: 0 };
    const size = weight.shape.reduce((product, n) => product * n, 1);
    count.parameters += size;
    if (learns(weight)) count.trainable += size;
    counts.set(key, count);
  }
  const sum = (key: 'parameters' | 'trainable') => [...counts.values()].reduce((total, count) => total + count[key], 0);
  return { label, parameters: sum('parameters'), trainable: sum('trainable'), counts: [...counts.values()] };
}

/** The part of the network a weight belongs to. Norms come first: `post_attention_layernorm` is no attention. */
const PARTS: readonly [part: string, pattern: RegExp][] = [
  ['soft prompt', /^prompt_encoder\./],
  ['norms', /norm|\bln_/i],
  ['head', /^lm_head\b|^score\b/],
  ['embeddings', /embed|\bw[tp]e\b|^shared\b/],
  ['attention', /att(entio)?n/i],
  ['feed-forward', /mlp|moe|ffn|feed_?forward|dense|experts/i],
];

function partOf(name: string): string {
  return PARTS.find(([, pattern]) => pattern.test(name))?.[0] ?? 'other';
}
