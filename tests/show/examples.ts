import { Random } from '../../src/base/core/index.js';
import {
  beforeAfter,
  conversation,
  dataset,
  type Figure,
  histogram,
  lossCurve,
  type MixtureSource,
  type ModelFacts,
  mixture,
  type PacksSource,
  packs,
  parameters,
  samples,
  type TokenView,
  table,
  tokens,
} from '../../src/show/index.js';

/** A history that looks like one: a falling loss with noise, warm-up and cosine. */
export function history(steps: number): { step: number[]; loss: number[]; learningRate: number[] } {
  const random = new Random(7);
  const step = Array.from({ length: steps }, (_, i) => i + 1);
  return {
    step,
    loss: step.map(s => 1.05 + 3.1 * Math.exp(-s / (steps / 6)) + 0.18 * random.normal() * Math.exp(-s / steps)),
    learningRate: step.map(s => 3e-4 * Math.min(1, s / (steps / 20)) * (0.5 + 0.5 * Math.cos((Math.PI * s) / steps))),
  };
}

const PIECES: [text: string, role: string, control: boolean, trained: boolean, loss: number][] = [
  ['<|im_start|>', 'template', true, false, Number.NaN],
  ['user', 'template', false, false, 5.2],
  ['\n', 'template', false, false, 0.1],
  ['Name', 'user', false, false, 6.1],
  [' the', 'user', false, false, 1.2],
  [' capital', 'user', false, false, 3.3],
  [' of', 'user', false, false, 0.2],
  [' France', 'user', false, false, 4.4],
  ['.', 'user', false, false, 0.9],
  ['<|im_end|>', 'template', true, false, 0.4],
  ['\n', 'template', false, false, 0.1],
  ['<|im_start|>', 'template', true, false, 0.1],
  ['assistant', 'template', false, false, 0.3],
  ['\n', 'template', false, false, 0.01],
  ['The', 'assistant', false, true, 1.9],
  [' capital', 'assistant', false, true, 0.6],
  [' of', 'assistant', false, true, 0.05],
  [' France', 'assistant', false, true, 0.3],
  [' is', 'assistant', false, true, 0.08],
  [' Paris', 'assistant', false, true, 2.7],
  ['.', 'assistant', false, true, 0.2],
  ['<|im_end|>', 'template', true, true, 0.7],
];

export function tokenView(withLoss = true): TokenView {
  return {
    tokens: PIECES.map(([text, role, control, trained, loss], i) => ({
      text,
      id: 100 + i,
      role,
      control,
      trained,
      label: trained ? 100 + i : -100,
      ...(withLoss ? { loss } : {}),
    })),
  };
}

/** Rows of a few tasks and files, with responses of very different length. */
export function datasetRows(): object[] {
  const random = new Random(5);
  const tasks = [
    'summarise',
    'translate',
    'question answering',
    'classify',
    'rewrite',
    'copy',
    'reverse',
    'count',
    'sort',
    'rhyme',
  ];
  return Array.from({ length: 900 }, (_, i) => {
    const task = tasks[Math.min(tasks.length - 1, Math.floor(-3 * Math.log(1 - random.next())))]!;
    const text = (mean: number) => 'word '.repeat(Math.ceil(mean * Math.exp(0.6 * random.normal())));
    return {
      messages: [
        { role: 'user', content: `${task}: ${text(12)}` },
        { role: 'assistant', content: text(task === 'classify' ? 1 : 18) },
      ],
      task,
      source: i % 5 === 0 ? 'superni/task1687.json' : 'alpaca_en_700.json',
    };
  });
}

/** The report of a mixture in which a small source is repeated. */
export function mixtureReport(): MixtureSource {
  return {
    strategy: 'temperature',
    total: 10_000,
    lines: [
      {
        source: 'summarise',
        available: 12_000,
        drawn: 4320,
        repeated: 0.36,
        asked: 0.432,
        got: 0.432,
        trainedTokens: 812_000,
        tokenShare: 0.62,
      },
      {
        source: 'question answering',
        available: 7400,
        drawn: 3393,
        repeated: 0.4585,
        asked: 0.3393,
        got: 0.3393,
        trainedTokens: 265_000,
        tokenShare: 0.2023,
      },
      {
        source: 'classify',
        available: 640,
        drawn: 1787,
        repeated: 2.79,
        asked: 0.1787,
        got: 0.1787,
        trainedTokens: 7100,
        tokenShare: 0.0054,
      },
      {
        source: 'replay',
        available: 30_000,
        drawn: 500,
        repeated: 0.0167,
        asked: 0.05,
        got: 0.05,
        trainedTokens: 225_700,
        tokenShare: 0.1723,
      },
    ],
  };
}

/** A small Llama with three adapters, as a model's view lists them. */
export function modelFacts(): ModelFacts {
  const layers = Array.from({ length: 4 }, (_, i) => `model.layers.${i}`);
  const base = (name: string, ...shape: number[]) => ({ name, shape, trainable: false, group: 'base' });
  const own = (group: string, name: string, ...shape: number[]) => ({ name, shape, trainable: true, group });
  return {
    architecture: 'LlamaForCausalLM',
    adapters: [
      { name: 'answers', kind: 'lora' },
      { name: 'houlsby', kind: 'bottleneck' },
      { name: 'soft', kind: 'prompt' },
    ],
    weights: [
      base('model.embed_tokens.weight', 2000, 128),
      ...layers.flatMap(layer => [
        base(`${layer}.input_layernorm.weight`, 128),
        ...['q_proj', 'k_proj', 'v_proj', 'o_proj'].map(name => base(`${layer}.self_attn.${name}.weight`, 128, 128)),
        base(`${layer}.post_attention_layernorm.weight`, 128),
        ...['gate_proj', 'up_proj', 'down_proj'].map(name => base(`${layer}.mlp.${name}.weight`, 384, 128)),
      ]),
      base('model.norm.weight', 128),
      base('lm_head.weight', 2000, 128),
      ...layers.flatMap(layer => [
        own('answers', `${layer}.self_attn.q_proj.lora_A.answers.weight`, 8, 128),
        own('answers', `${layer}.self_attn.q_proj.lora_B.answers.weight`, 128, 8),
        own('houlsby', `${layer}.self_attn.bottleneck_down.houlsby.weight`, 16, 128),
        own('houlsby', `${layer}.self_attn.bottleneck_up.houlsby.weight`, 128, 16),
        own('houlsby', `${layer}.mlp.bottleneck_down.houlsby.weight`, 16, 128),
        own('houlsby', `${layer}.mlp.bottleneck_up.houlsby.weight`, 128, 16),
      ]),
      own('soft', 'prompt_encoder.soft.embedding.weight', 20, 128),
    ],
  };
}

/** Rows of very different length in packs of 512 tokens. */
function packed(): PacksSource['rows'] {
  const random = new Random(4);
  let row = 0;
  return Array.from({ length: 9 }, () => {
    const segments: number[] = [];
    for (let segment = 1; ; segment++) {
      const size = Math.round(20 + 180 * random.next() ** 2);
      if (segments.length + size > 512) break;
      segments.push(...new Array<number>(size).fill(segment));
    }
    return { segmentIds: segments, rows: Array.from({ length: segments.at(-1)! }, () => row++) };
  });
}

/** One of every figure, as a quickstart would make them. */
export function gallery(): Record<string, Figure> {
  const h = history(500);
  const random = new Random(3);
  return {
    loss: lossCurve(h, { title: 'Instruction tuning: training loss' }),
    lossFull: lossCurve(h, {
      title: 'Training and held-out loss',
      learningRate: true,
      evalPoints: [1, 100, 200, 300, 400, 500].map(step => ({ step, loss: 1.2 + 2.9 * Math.exp(-step / 110) })),
    }),
    conversation: conversation({
      note: '14 tokens after 62 of the prompt, 35 a second; ended by itself',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'What is the weather?', input: 'Oslo, 4 °C, snow\nBergen, 9 °C, rain' },
        { role: 'assistant', content: '', toolCalls: [{ name: 'forecast', arguments: { city: 'Oslo' } }] },
        { role: 'tool', content: '{"tomorrow": "sun"}' },
        { role: 'assistant', thinking: 'Tomorrow was asked for too.', content: 'Snow now, <b>sun</b> tomorrow.\nDress warmly.' },
      ],
    }),
    lossShort: lossCurve({ loss: [4.2, 3.7, 3.1, 2.9, 2.4] }, { title: 'Five steps' }),
    lossLog: lossCurve(h, { title: 'Training loss, log axis', log: true, total: 1000 }),
    beforeAfter: beforeAfter({
      title: 'What instruction tuning changed',
      rows: [
        { label: 'held-out instructions followed', before: 0, after: 0.72, unit: 'share', better: 'higher' },
        { label: 'paraphrased instructions', before: 0.02, after: 0.61, unit: 'share', better: 'higher' },
        { label: 'loss on base text', before: 1.61, after: 2.37, unit: 'nats/token', better: 'lower' },
      ],
    }),
    histogram: histogram(
      Array.from({ length: 1200 }, () => Math.round(Math.exp(3.6 + 0.5 * random.normal()))),
      { title: 'Length of the examples', label: 'tokens per row', count: 'rows' },
    ),
    dataset: dataset(datasetRows() as never, { title: 'What the rows are like' }),
    mixture: mixture(mixtureReport(), { title: 'Mixture of tasks, temperature 2' }),
    packs: packs({ rows: packed() }, { length: 512, title: 'Rows in packs of 512 tokens' }),
    parameters: parameters(modelFacts(), { title: 'Three ways to tune', adapters: true }),
    tokens: tokens(tokenView()),
    tokensPair: tokens([
      { title: 'train: response', ...tokenView(false) },
      { title: 'train: all', tokens: tokenView(false).tokens.map(t => ({ ...t, trained: true })) },
    ]),
    table: table(
      [
        { task: 'reverse', rows: 1200, accuracy: 0.8125, note: 'say it backwards' },
        { task: 'uppercase', rows: 900, accuracy: 0.97, note: null },
        { task: 'count the vowels in a word', rows: 12, accuracy: 0.0004, note: 'rare' },
      ],
      { title: 'Accuracy by task' },
    ),
    samples: samples(
      [
        {
          prompt: 'Reverse the word: lamp',
          expected: 'pmal',
          before: 'Reverse the word: lamp\nReverse',
          after: 'pmal',
          correct: true,
        },
        { prompt: 'Write in capitals: river', expected: 'RIVER', before: 'river river', after: 'RIVR', correct: false },
      ],
      { title: 'What the model says' },
    ),
  };
}
