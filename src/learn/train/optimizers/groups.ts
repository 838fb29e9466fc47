import { BadInput, type Parameter, quote, refuseUnknown } from '../../../base/core/index.js';
import { checkNumber } from '../check.js';
import { isMatch, matching, matchText, type WeightMatch } from '../match.js';

/** Weights that are treated otherwise than the rest. */
export interface ParameterGroup {
  match: WeightMatch;
  /** Factor on the learning rate. Default 1. */
  rate?: number;
  /** Weight decay in place of the optimizer's. */
  weightDecay?: number;
}

/** What every optimizer takes beside its own settings. */
export interface GroupOptions {
  /** Peak learning rate where `train.sft` is given none. */
  learningRate?: number;
  /**
   * What decays: 'all' (default) is PyTorch given all of a model's parameters; 'matrices' spares norms and biases (whatever has one
   * dimension), as transformers' Trainer does.
   */
  decay?: 'matrices' | 'all';
  /** Weights with a learning rate or decay of their own; the first that matches counts. */
  groups?: readonly ParameterGroup[];
  /**
   * Layer-wise decay of the learning rate (Howard & Ruder 2018; Clark et al. 2020): the factor d^(depth − layer), with embeddings
   * as layer 0, the layers from 1 and what comes behind them (last norm, head) at `depth`. Default 1. In both stacks of a T5
   * layers are counted from the input.
   */
  layerDecay?: number;
}

/** Names of {@link GroupOptions}, for checks of what is known. */
export const GROUP_OPTIONS = ['learningRate', 'decay', 'groups', 'layerDecay'] as const;

/** How one weight is updated. */
export interface Treatment {
  /** Factor on the learning rate. */
  rate: number;
  weightDecay: number;
}

/** Says how each weight is updated. */
export interface Treatments {
  /** Plain JSON that describes it; empty where all weights are treated alike. */
  readonly settings: Record<string, unknown>;
  readonly learningRate: number | undefined;
  /** @param layers of the model, see {@link countLayers} */
  of(parameter: Parameter, layers: number | undefined): Treatment;
  /** Throws BadInput where a group means no weight. */
  check(parameters: readonly Parameter[]): void;
}

/** Check {@link GroupOptions}. */
export function treatments(options: GroupOptions, weightDecay: number): Treatments {
  const { decay = 'all', groups = [], layerDecay = 1 } = options;
  if (decay !== 'all' && decay !== 'matrices')
    throw new BadInput({
      problem: 'This does not say what decays',
      where: { key: 'decay' },
      expected: "'all' or 'matrices'",
      found: quote(decay),
      fix: "write decay: 'matrices' to spare norms and biases",
    });
  checkNumber('layerDecay', layerDecay, { from: Number.MIN_VALUE, below: 1 + Number.EPSILON });
  for (const group of groups) {
    refuseUnknown('a group', group, ['match', 'rate', 'weightDecay']);
    if (group.rate !== undefined) checkNumber('groups.rate', group.rate, { from: 0 });
    if (group.weightDecay !== undefined) checkNumber('groups.weightDecay', group.weightDecay, { from: 0 });
  }
  const named = groups.map(({ match, ...rest }) => ({ match: matchText(match), ...rest }));
  return {
    settings: { decay, ...(groups.length > 0 && { groups: named }), ...(layerDecay !== 1 && { layerDecay }) },
    learningRate: options.learningRate === undefined ? undefined : checkNumber('learningRate', options.learningRate, { from: 0 }),
    of(parameter, layers = 0) {
      const group = groups.find(({ match }) => isMatch(match, parameter));
      const decays = decay === 'all' || parameter.shape.length > 1;
      const depth = layerDecay === 1 ? 0 : layers + 1 - layerOf(parameter.name, layers);
      return {
        rate: (group?.rate ?? 1) * layerDecay ** depth,
        weightDecay: group?.weightDecay ?? (decays ? weightDecay : 0),
      };
    },
    check: parameters =>
      void matching(
        'groups.match',
        groups.map(({ match }) => match),
        parameters,
      ),
  };
}

/** Layers of the deepest stack, by the numbers in the names. */
export function countLayers(parameters: readonly Parameter[]): number {
  return parameters.reduce((most, { name }) => Math.max(most, numberOf(name) + 1), 0);
}

function layerOf(name: string, layers: number): number {
  const number = numberOf(name);
  if (number >= 0) return number + 1;
  return /(^|\.)(embed|embeddings?|embed_tokens|wte|wpe|shared|prompt_encoder|prompt_embeddings)\./.test(name) ? 0 : layers + 1;
}

function numberOf(name: string): number {
  return Number(/(?:^|\.)(?:layers|h|block)\.(\d+)\./.exec(name)?.[1] ?? -1);
}
