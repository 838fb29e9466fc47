import type { Model } from '../model.js';
import { modelType, moduleNames, type Site, sitesOf } from './base.js';
import { defaultTargets } from './defaults.js';
import type { PlannedTensor } from './format.js';
import { namesMatching, pythonPattern } from './patterns.js';
import { matchingModules, nothingMatched, writtenTargets } from './targets.js';
import { type WholeWeight, wholeWeights } from './whole.js';

/** Options of IA³, patterns as texts of Python's `re`. */
export interface Ia3Settings {
  targets: readonly string[] | string | undefined;
  feedforward: readonly string[] | string | undefined;
  exclude: readonly string[] | string | undefined;
  modulesToSave: readonly string[];
  original?: Readonly<Record<string, unknown>>;
}

/** Where a rescaling sits. */
export interface Ia3Site extends Site {
  readonly feedforward: boolean;
  readonly factors: PlannedTensor;
}

export interface Ia3Plan {
  readonly settings: Ia3Settings;
  readonly targets: readonly string[] | string;
  readonly feedforward: readonly string[] | string;
  readonly sites: readonly Ia3Site[];
  readonly whole: readonly WholeWeight[];
}

/** What IA³ of these settings is on this model. Throws BadInput where it names no module. */
export function planIa3(model: Model, settings: Ia3Settings): Ia3Plan {
  const sites = sitesOf(model).filter(({ use }) => use === 'linear');
  const names = sites.map(({ module }) => module);
  const allLinear = typeof settings.targets === 'string' && settings.targets.toLowerCase() === 'all-linear';
  const targets = allLinear ? names : (settings.targets ?? defaultTargets(modelType(model), 'targets').ia3);
  const feedforward = settings.feedforward ?? defaultTargets(modelType(model), 'feedforward').feedforward;
  const rule = { ...settings, targets };
  const matched = new Set(matchingModules(rule, names));
  if (matched.size === 0) throw nothingMatched(settings.targets ?? targets, names);
  // The end of the name alone, without a dot before it: PEFT's rule here.
  const atInput =
    typeof feedforward === 'string'
      ? namesMatching(
          pythonPattern(feedforward, body => `^(?:${body})$`, 'feedforward'),
          names,
          'feedforward',
        )
      : new Set(names.filter(name => feedforward.some(end => name.endsWith(end))));
  const chosen = sites.filter(({ module }) => matched.has(module));
  const modules = chosen.map(({ module }) => module);
  return {
    settings,
    targets: settings.original ? targets : writtenTargets(rule, modules, moduleNames(model)),
    feedforward,
    sites: chosen.map(site => {
      const inside = atInput.has(site.module);
      const shape = inside ? [1, site.inFeatures] : [site.outFeatures, 1];
      return { ...site, feedforward: inside, factors: { file: `base_model.model.${site.module}.ia3_l`, shape } };
    }),
    whole: wholeWeights(model, { modulesToSave: settings.modulesToSave, bias: 'none' }, chosen),
  };
}
