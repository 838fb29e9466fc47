import { BadInput } from '../../../base/core/index.js';
import type { Model } from '../model.js';
import { isTied, isVocabularyModule, modelType, moduleNames, refuseShared, type Site } from './base.js';
import { defaultTargets } from './defaults.js';
import type { PlannedTensor } from './format.js';
import { matchingModules, nothingMatched, patternValues, writtenTargets } from './targets.js';
import { forBothEnds, type TokenIndices, type TokenRows, tokenRows } from './token-rows.js';
import { type WholeWeight, wholeWeights } from './whole.js';

/** Options of LoRA with nothing open; patterns are texts of Python's `re`. */
export interface LoraSettings {
  rank: number;
  alpha: number;
  dropout: number;
  targets: readonly string[] | string | undefined;
  exclude: readonly string[] | string | undefined;
  layers: readonly number[] | undefined;
  layersPattern: readonly string[] | undefined;
  rankPattern: Readonly<Record<string, number>>;
  alphaPattern: Readonly<Record<string, number>>;
  rsLoRA: boolean;
  dora: boolean;
  bias: 'none' | 'all' | 'lora_only';
  modulesToSave: readonly string[];
  /** As read, or ids for both ends of the model. */
  trainTokens: TokenIndices | undefined;
  init: 'default' | 'gaussian';
  seed: number | string;
  /** adapter_config.json as read, of which what we do not use is kept. */
  original?: Readonly<Record<string, unknown>>;
}

/** Where an update sits and of what size, before anything is allocated. */
export interface LoraSite extends Site {
  readonly rank: number;
  /** alpha/rank, or alpha/√rank. */
  readonly scale: number;
  /** Names of the parameters as PEFT has them in memory, without the name of the adapter. */
  readonly a: PlannedTensor;
  readonly b: PlannedTensor;
  /** DoRA's lengths. */
  readonly magnitude?: PlannedTensor;
}

export interface LoraPlan {
  readonly settings: LoraSettings;
  readonly sites: readonly LoraSite[];
  readonly whole: readonly WholeWeight[];
  readonly tokens: readonly TokenRows[];
  /** What `tokens` came from, in PEFT's form. */
  readonly trainTokens: TokenIndices | undefined;
  /** Targets as adapter_config.json gets them: `all-linear` and defaults are resolved. */
  readonly targets: readonly string[] | string;
}

/** What LoRA of these settings is on this model. Throws BadInput where it names no module. */
export function planLora(model: Model, sites: readonly Site[], settings: LoraSettings): LoraPlan {
  const targets = resolveTargets(model, sites, settings);
  const rule = { ...settings, targets };
  const names = sites.map(({ module }) => module);
  const matched = new Set(matchingModules(rule, names));
  if (matched.size === 0) throw nothingMatched(settings.targets ?? targets, names);
  const chosen = sites.filter(({ module }) => matched.has(module));
  const modules = chosen.map(({ module }) => module);
  const whole = wholeWeights(model, settings, chosen);
  refuseTying(model, settings, chosen, whole);
  refuseShared(model, modules, 'targets');
  const { trainTokens: given, original } = settings;
  const trainTokens = given && !original && Array.isArray(given) ? forBothEnds(model, given) : given;
  const tokens = tokenRows(model, trainTokens);
  refuseTwice(tokens, chosen, whole);
  const ranks = patternValues(settings.rankPattern, modules, 'rankPattern');
  const alphas = patternValues(settings.alphaPattern, modules, 'alphaPattern');
  return {
    settings,
    targets: settings.original ? targets : writtenTargets(rule, modules, moduleNames(model)),
    whole,
    tokens,
    trainTokens,
    sites: chosen.map(site =>
      loraSite(site, ranks.get(site.module) ?? settings.rank, alphas.get(site.module) ?? settings.alpha, settings),
    ),
  };
}

function loraSite(site: Site, rank: number, alpha: number, { rsLoRA, dora }: LoraSettings): LoraSite {
  const { module, use, inFeatures, outFeatures } = site;
  if (!Number.isSafeInteger(rank) || rank < 1)
    throw new BadInput({
      problem: `The rank at ${module} is not one`,
      where: { key: 'rankPattern' },
      expected: 'a whole number of at least 1',
      found: `${rank}`,
    });
  const at = `base_model.model.${module}`;
  // An embedding's matrices are parameters of the module itself, not of linear modules inside it: no ".weight".
  const file = (letter: 'A' | 'B') => (use === 'embedding' ? `${at}.lora_embedding_${letter}` : `${at}.lora_${letter}.weight`);
  return {
    ...site,
    rank,
    scale: alpha / (rsLoRA ? Math.sqrt(rank) : rank),
    a: { file: file('A'), shape: [rank, inFeatures] },
    b: { file: file('B'), shape: [outFeatures, rank] },
    magnitude: dora ? { file: `${at}.lora_magnitude_vector`, shape: [outFeatures] } : undefined,
  };
}

/** PEFT's `ensure_weight_tying` gives embedding and head one update between them. */
function refuseTying(model: Model, { original }: LoraSettings, sites: readonly Site[], whole: readonly WholeWeight[]): void {
  if (original?.ensure_weight_tying !== true || !isTied(model)) return;
  const shared = [...sites.map(({ module }) => module), ...whole.map(({ weight }) => weight.replace(/\.weight$/, ''))];
  if (shared.some(module => isVocabularyModule(model, module)))
    throw new BadInput({
      problem: 'The adapter ties what embedding and head learn, which tunebook does not compute',
      where: { key: 'ensure_weight_tying' },
      fix: 'merge the adapter into its base with PEFT (merge_and_unload) and load the merged model',
    });
}

/** A weight of which single rows are trained has no other change. */
function refuseTwice(tokens: readonly TokenRows[], sites: readonly Site[], whole: readonly WholeWeight[]): void {
  const changed = new Set([...sites.map(({ module }) => `${module}.weight`), ...whole.map(({ weight }) => weight)]);
  const twice = tokens.flatMap(({ weights }) => weights).find(weight => changed.has(weight));
  if (twice !== undefined)
    throw new BadInput({
      problem: 'The adapter trains single rows of a weight that it changes as a whole',
      where: { key: 'trainTokens' },
      found: twice,
      fix: 'leave trainTokens out, or this module out of targets and modulesToSave',
    });
}

function resolveTargets(model: Model, sites: readonly Site[], { targets }: LoraSettings): readonly string[] | string {
  if (targets === undefined) return defaultTargets(modelType(model), 'targets').lora;
  if (typeof targets !== 'string' || targets.toLowerCase() !== 'all-linear') return targets;
  return sites.filter(({ use }) => use === 'linear').map(({ module }) => module);
}
