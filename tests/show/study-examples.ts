import { Random } from '../../src/base/core/index.js';
import {
  attention,
  comparison,
  diversity,
  drift,
  type Figure,
  forgettingReport,
  generations,
  intervals,
  klForgetting,
  margins,
  pair,
  rewards,
  runs,
  type TrainingEvaluation,
  taskMatrix,
  templateComparison,
  tradeOff,
  training,
} from '../../src/show/index.js';
import { history } from './examples.js';

/** A run of `steps` with all its columns and evaluations of a few tasks. */
export function run(steps: number, tasks: readonly string[] = ['reverse', 'uppercase', 'sort', 'count']) {
  const random = new Random(11);
  const base = history(steps);
  const evaluations: TrainingEvaluation[] = Array.from({ length: 11 }, (_, i) => {
    const step = Math.max(1, Math.round((i * steps) / 10));
    const scores = tasks.map((task, k) => [task, Math.max(0, Math.min(1, (0.9 - 0.12 * k) * (1 - Math.exp(-i / (1 + k)))))]);
    return { step, heldOut: 1.2 + 2.9 * Math.exp(-i / 2.2), ...Object.fromEntries(scores) };
  });
  return {
    name: 'instruction tuning',
    total: steps,
    history: {
      ...base,
      gradNorm: base.step.map(
        s => 0.6 + 2 * Math.exp(-s / (steps / 8)) + 0.2 * Math.abs(random.normal()) + (s === Math.round(0.62 * steps) ? 6 : 0),
      ),
      tokensPerSecond: base.step.map(() => 14_000 + 700 * random.normal()),
    },
    evaluations,
  };
}

export function rewardHistory(steps = 300) {
  const random = new Random(5);
  const step = Array.from({ length: steps }, (_, i) => i + 1);
  const grown = (s: number) => 1 - Math.exp(-s / 90);
  return {
    step,
    reward: step.map(s => -0.4 + 1.6 * grown(s) + 0.08 * random.normal()),
    rewardStd: step.map(s => 0.5 - 0.25 * grown(s)),
    rewards: {
      format: step.map(s => 0.9 * grown(3 * s) + 0.03 * random.normal()),
      correct: step.map(s => -0.6 + 1.1 * grown(s)),
    },
    kl: step.map(s => 0.02 * s ** 0.9 + 0.1 * Math.abs(random.normal())),
    length: step.map(s => 60 + 45 * grown(s) + 4 * random.normal()),
    entropy: step.map(s => 1.8 - 1.1 * grown(s) + 0.05 * random.normal()),
  };
}

export function attentionData() {
  const tokens = ['<|im_start|>', 'user', '\n', 'Name', ' the', ' capital', ' of', ' France', '.', '<|im_end|>', '\n', 'Paris'];
  const random = new Random(2);
  const map = (layer: number, head: number) => ({
    name: `layer ${layer}, head ${head}`,
    weights: tokens.map((_, i) => {
      const row = tokens.map((_, j) =>
        j > i
          ? 0
          : Math.exp(
              (j === 0 ? 1.5 : 0) -
                Math.abs(i - j - head) +
                0.5 * random.normal() +
                (i === 11 && (j === 5 || j === 7) ? 2.5 * layer : 0),
            ),
      );
      const sum = row.reduce((a, b) => a + b, 0);
      return row.map(weight => weight / sum);
    }),
  });
  return { tokens, maps: [map(1, 0), map(0, 0), map(0, 1), map(1, 1)] };
}

export function matrix() {
  const tasks = ['reverse', 'uppercase', 'sort', 'count the vowels', 'first letters', 'antonyms'];
  const times = ['base', ...tasks];
  return {
    tasks,
    times,
    scores: times.map((_, t) =>
      tasks.map((_, k) => (t === 0 ? 0.02 * k : k < t ? 0.95 * 0.86 ** (t - k - 1) : Math.min(0.5, 0.02 * k + 0.04 * t))),
    ),
  };
}

export function driftRows() {
  const matrices = [
    'self_attn.q_proj',
    'self_attn.k_proj',
    'self_attn.v_proj',
    'self_attn.o_proj',
    'mlp.gate_proj',
    'mlp.up_proj',
    'mlp.down_proj',
  ];
  return [
    { name: 'model.embed_tokens.weight', drift: 0.0042 },
    ...Array.from({ length: 6 }, (_, layer) =>
      matrices.map((name, k) => ({
        name: `model.layers.${layer}.${name}.weight`,
        drift: 0.01 * (1 + layer / 2) * (k === 2 || k === 3 ? 2.5 : 1) * (1 + 0.1 * ((layer * 7 + k * 3) % 5)),
      })),
    ).flat(),
    { name: 'lm_head.weight', drift: 0.021 },
  ];
}

/** One of every figure that shows what training did, from generated data. */
export function studies(): Record<string, Figure> {
  const random = new Random(9);
  const ways = ['full', 'LoRA', 'replay'].flatMap((group, g) =>
    [0.3, 1, 3].map((lr, k) => ({
      label: `${group}, rate ×${lr}`,
      group,
      learned: 0.3 + 0.18 * k + 0.04 * g,
      forgotten: 0.02 + (0.11 - 0.04 * g) * k ** 1.4,
      learnedInterval: [0.26 + 0.18 * k + 0.04 * g, 0.34 + 0.18 * k + 0.04 * g] as const,
    })),
  );
  const states = ['SFT, rate 1e-3', 'SFT, rate 3e-4', 'GRPO'].flatMap((run, r) =>
    Array.from({ length: 8 }, (_, i) => {
      const kl = 0.004 * (r + 1) * 1.9 ** (i + 1) * (r === 2 ? 0.3 : 1);
      return { run, kl, forgotten: 0.16 * Math.log1p(4 * kl) + 0.008 * random.normal(), step: 50 * (i + 1) };
    }),
  );
  const curve = (name: string, best: number, half: number) => ({
    name,
    points: [1, 3, 10, 30, 100, 300, 1000].map(n => {
      const value = (best * n) / (n + half);
      const width = 0.12 / Math.sqrt(1 + n / 8);
      return { n, value, low: Math.max(0, value - width), high: Math.min(1, value + width) };
    }),
  });
  const normal = (mean: number, spread: number) => Array.from({ length: 1500 }, () => mean + spread * random.normal());
  return {
    training: training(run(500)),
    runs: runs([run(500), { ...run(400), name: 'a tenth of the rate', history: history(400) }, { ...run(300), name: 'replay' }]),
    rewards: rewards(rewardHistory()),
    attention: attention(attentionData(), { title: 'Where the last token looks' }),
    taskMatrix: taskMatrix(matrix()),
    tradeOff: tradeOff(ways),
    klForgetting: klForgetting(states),
    drift: drift(driftRows()),
    intervals: intervals({
      title: 'The tuned model among its baselines',
      unit: 'share',
      rows: [
        { label: 'tuned', value: 0.81, low: 0.75, high: 0.86, strong: true },
        { label: 'base, four examples in the prompt', value: 0.34, low: 0.28, high: 0.41 },
        { label: 'majority', value: 0.12, low: 0.08, high: 0.17 },
        { label: 'copied input', value: 0.05, low: 0.03, high: 0.09 },
      ],
    }),
    comparison: comparison({
      rows: [
        { measure: 'paraphrases', seeds: 6, a: 0.61, b: 0.702, difference: 0.092, low: 0.05, high: 0.134, p: 0.0004, holm: 0.0012, mde: 0.058 },
        { measure: 'loss on base text (nats per token)', seeds: 6, a: 2.41, b: 1.74, difference: -0.67, low: -0.9, high: -0.44, p: 0.003, holm: 0.006, mde: 0.31 },
        { measure: 'compositions', seeds: 6, a: 0.18, b: 0.2, difference: 0.02, low: -0.041, high: 0.081, p: 0.44, holm: 0.44, mde: 0.085 },
        { measure: 'a new cluster', seeds: 1, a: 0.04, b: 0.09, difference: 0.05, low: -0.01, high: 0.11, method: 'bootstrap', p: 0.12, holm: 0.24, mde: Number.NaN },
      ], // biome-ignore format: one measure a line
      warning: 'One measure has one seed: of it nothing may be concluded.',
    }),
    rating: pair({
      prompt: [{ role: 'user', content: 'Explain why the sky is blue, in one sentence.' }],
      task: 'explain',
      a: 'Air scatters the blue light of the sun more than the red.',
      b: 'The sky is blue because the sky is blue.',
      place: 'pair 3 of 12',
    }),
    forgettingReport: forgettingReport({
      sentences: ['It learned the new tasks and lost a third of the facts.'],
      gained: [{ label: 'paraphrase', before: 0, after: 0.8, unit: 'share', better: 'higher' }],
      lost: [{ label: 'loss on base text', before: 1.6, after: 2.4, unit: 'nats per token', better: 'lower' }],
      kl: [
        { on: 'what the base says to new tasks', kl: 1.9 },
        { on: 'base text', kl: 0.6 },
      ],
      drift: driftRows().map(row => ({ ...row, rank: 9, side: 96 })),
      cka: [1, 0.98, 0.9, 0.71].map((cka, layer) => ({ layer, cka })),
    }),
    diversity: diversity([curve('new inputs', 0.98, 2), curve('paraphrase', 0.9, 14), curve('new skill', 0.45, 120)], {
      share: true,
    }),
    margins: margins([
      { name: 'before', margins: normal(0.1, 0.8) },
      { name: 'after DPO', margins: normal(1.3, 1.1) },
    ]),
    generations: generations([
      {
        task: 'reverse',
        prompt: 'Turn around these words: cat red pen',
        before: 'Turn around these words: dog blue tree',
        after: 'pen red cat',
        expected: 'pen red cat',
        correct: true,
      },
      {
        prompt: 'Explain why the sky is blue, in one sentence.',
        before: 'The sky is blue because the sky is blue because of the blue light of the sky.',
        after: 'The sky is blue because air scatters the blue light of the sun more than the red.',
      },
    ]),
    templateComparison: templateComparison(
      [
        { name: 'alpaca', tokens: 61_000, trained: 14_200, overhead: 33_000, score: 0.71, interval: [0.64, 0.77] },
        { name: 'chatml', tokens: 41_500, trained: 15_000, overhead: 13_000, score: 0.78, interval: [0.72, 0.83] },
        { name: 'llama-3', tokens: 44_100, trained: 15_000, overhead: 15_600, score: 0.77, interval: [0.71, 0.82] },
        { name: 'a template of my own', tokens: 33_900, trained: 14_900, overhead: 5400, score: 0.74, interval: [0.67, 0.8] },
      ],
      { conversations: 500 },
    ),
  };
}
