import { BadInput, quote } from '../../../base/core/index.js';
import { sitesOf } from './base.js';
import type { FiledSpec } from './format.js';
import { LoraAdapter } from './lora-adapter.js';
import { type LoraPlan, type LoraSettings, planLora } from './lora-plan.js';
import { textual } from './patterns.js';

/** No matrix of a model is wider: a higher rank is a mistake, and would take the memory of many models. */
const MOST_RANK = 65_536;

/** Options of {@link lora}. Names in brackets are PEFT's. */
export interface LoraOptions {
  /** Rank of the update [r]. Default 8. */
  rank?: number;
  /** The update counts alpha/rank [lora_alpha]. Default 8. */
  alpha?: number;
  /** Share of the module's input dropped in training, before A [lora_dropout]. Default 0. */
  dropout?: number;
  /**
   * Modules it is put on [target_modules]: names or ends of names (`['q_proj', 'v_proj']`), a pattern that must match whole names
   * (a RegExp, or a string as PEFT takes it), or `'all-linear'`: every linear module but the output head. By default what PEFT
   * takes for the family, mostly queries and values.
   */
  targets?: readonly string[] | RegExp | string;
  /** Modules left out [exclude_modules], told as `targets` are. */
  exclude?: readonly string[] | RegExp | string;
  /** Only in these layers [layers_to_transform]; with `targets` as a list. */
  layers?: number | readonly number[];
  /** What stands before the number of a layer in names, e.g. `h` [layers_pattern]. */
  layersPattern?: string | readonly string[];
  /** Ranks of single modules, by a pattern of the end of their name [rank_pattern]. */
  rankPattern?: Readonly<Record<string, number>>;
  /** Alphas of single modules, likewise [alpha_pattern]. */
  alphaPattern?: Readonly<Record<string, number>>;
  /** Scale by alpha/√rank, which keeps the update's size over ranks (Kalajdzievski 2023) [use_rslora]. Default false. */
  rsLoRA?: boolean;
  /** Learn the length of every output's weights apart from their direction (Liu et al. 2024) [use_dora]. Default false. */
  dora?: boolean;
  /** Biases of the base that are trained too: those of targeted modules, or all [bias]. Default 'none'. */
  bias?: 'none' | 'all' | 'lora_only';
  /** Modules trained as a whole, by the end of their name, e.g. `['embed_tokens', 'lm_head']` [modules_to_save]. */
  modulesToSave?: readonly string[];
  /**
   * Tokens whose rows in embedding and head are trained, and nothing else of these two: for tokens that were added or are new to the
   * base, e.g. a chat template's [trainable_token_indices].
   */
  trainTokens?: readonly number[];
  /** First values of A: 'default' U(±1/√in), as PEFT; 'gaussian' N(0, 1/rank). B begins at zero [init_lora_weights]. */
  init?: 'default' | 'gaussian';
  /** Of the first values. Default 0. */
  seed?: number | string;
}

/**
 * Low-rank adaptation (Hu et al. 2021): y = W·x + (alpha/rank) · B·A·x with W frozen, A [rank, in] and B [out, rank] trained.
 * Also rsLoRA and DoRA. Defaults, names and meaning are PEFT's:
 *
 *     model.attach(lora({ rank: 16, alpha: 32, targets: 'all-linear', dropout: 0.05 }))
 */
export function lora(options: LoraOptions = {}): FiledSpec {
  refuseUnknown(options);
  const { rank = 8, alpha = 8, dropout = 0, rankPattern = {}, alphaPattern = {}, layers, layersPattern } = options;
  for (const [key, value] of Object.entries({ rank, ...rankPattern }))
    check(Number.isSafeInteger(value) && value >= 1 && value <= MOST_RANK, key, `a whole number from 1 to ${MOST_RANK}`, value);
  for (const [key, value] of Object.entries({ alpha, ...alphaPattern })) check(Number.isFinite(value), key, 'a number', value);
  check(dropout >= 0 && dropout < 1, 'dropout', 'a number from 0 to below 1', dropout);
  check(['none', 'all', 'lora_only'].includes(options.bias ?? 'none'), 'bias', "'none', 'all' or 'lora_only'", options.bias);
  check(['default', 'gaussian'].includes(options.init ?? 'default'), 'init', "'default' or 'gaussian'", options.init);
  const settings: LoraSettings = {
    rank,
    alpha,
    dropout,
    targets: textual(options.targets),
    exclude: textual(options.exclude),
    layers: typeof layers === 'number' ? [layers] : layers,
    layersPattern: typeof layersPattern === 'string' ? [layersPattern] : layersPattern,
    rankPattern,
    alphaPattern,
    rsLoRA: options.rsLoRA ?? false,
    dora: options.dora ?? false,
    bias: options.bias ?? 'none',
    modulesToSave: options.modulesToSave ?? [],
    trainTokens: options.trainTokens?.length === 0 ? undefined : options.trainTokens,
    init: options.init ?? 'default',
    seed: options.seed ?? 0,
  };
  const ids = options.trainTokens;
  check(ids === undefined || Array.isArray(ids), 'trainTokens', 'a list of token ids', ids);
  check(!(settings.layers && typeof settings.targets === 'string'), 'layers', 'targets as a list of names', settings.targets);
  return loraSpec(settings);
}

/** The adapter of these settings. */
export function loraSpec(settings: LoraSettings): FiledSpec {
  return {
    kind: 'lora',
    plan: model => tensorsOf(planLora(model, sitesOf(model), settings)),
    build: (model, name, values) => new LoraAdapter(model, name, planLora(model, sitesOf(model), settings), values),
  };
}

function tensorsOf(plan: LoraPlan) {
  return [
    ...plan.sites.flatMap(({ a, b, magnitude }) => (magnitude ? [a, b, magnitude] : [a, b])),
    ...plan.whole,
    ...plan.tokens,
  ];
}

const KNOWN: Record<keyof LoraOptions, true> = {
  rank: true,
  alpha: true,
  dropout: true,
  targets: true,
  exclude: true,
  layers: true,
  layersPattern: true,
  rankPattern: true,
  alphaPattern: true,
  rsLoRA: true,
  dora: true,
  bias: true,
  modulesToSave: true,
  trainTokens: true,
  init: true,
  seed: true,
};

function refuseUnknown(options: object): void {
  const unknown = Object.keys(options).find(key => !Object.hasOwn(KNOWN, key));
  if (unknown !== undefined)
    throw new BadInput({
      problem: 'lora has no such option',
      where: { key: unknown },
      expected: Object.keys(KNOWN).join(', '),
    });
}

function check(good: boolean, key: string, expected: string, found: unknown): void {
  if (!good)
    throw new BadInput({ problem: 'An option of lora cannot be used', where: { key }, expected, found: quote(found ?? null) });
}
