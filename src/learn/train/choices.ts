import { BadInput, quote } from '../../base/core/index.js';
import { checkNumber } from './check.js';
import type { Hooks } from './hooks.js';
import { adafactor } from './optimizers/adafactor.js';
import { adamw } from './optimizers/adamw.js';
import { lion } from './optimizers/lion.js';
import { sgd } from './optimizers/sgd.js';
import type { OptimizerName, SftOptions } from './options.js';
import { constant, cosine, inverseSqrt, linear, polynomial, type Schedule, type ScheduleName, wsd } from './schedules.js';
import { isSeq2Seq, type Optimizer } from './types.js';

/** What shapes the loss of a token. */
export function checkLoss(options: SftOptions, hooks: Hooks): void {
  checkNumber('labelSmoothing', options.labelSmoothing ?? 0, { from: 0, below: 1 });
  checkNumber('neftune', options.neftune ?? 0, { from: 0 });
  checkNumber('promptLossWeight', options.promptLossWeight ?? 0, { from: 0 });
  if (options.promptLossWeight && isSeq2Seq(options.model))
    throw new BadInput({
      problem: 'An encoder–decoder does not predict its prompts',
      where: { key: 'promptLossWeight' },
      fix: 'leave promptLossWeight out',
    });
  if (hooks.loss && hooks.objective)
    throw new BadInput({
      problem: 'hooks.objective stands in place of the loss that hooks.loss is added to',
      where: { key: 'hooks' },
      fix: 'add the term inside objective, and leave hooks.loss out',
    });
}

/** The optimizer that is given or named. */
export function chooseOptimizer({ optimizer = 'adamw', learningRate }: SftOptions): Optimizer {
  const given = typeof optimizer === 'object' && typeof optimizer?.step === 'function' ? optimizer : undefined;
  if (given?.settings.relativeStep === true && learningRate !== undefined)
    throw new BadInput({
      problem: 'Adafactor with relative steps makes its own learning rate',
      where: { key: 'learningRate' },
      fix: `write optimizer: train.adafactor({ learningRate: ${learningRate} }) and leave the run's learningRate out`,
    });
  if (given) return given;
  const named: Record<OptimizerName, () => Optimizer> = {
    adamw,
    adafactor: () => adafactor({ learningRate }),
    lion,
    sgd,
  };
  if (typeof optimizer === 'string' && Object.hasOwn(named, optimizer)) return named[optimizer]();
  throw new BadInput({
    problem: 'There is no such optimizer',
    where: { key: 'optimizer' },
    expected: `train.adamw({…}) or another of train's, or ${Object.keys(named)
      .map(name => `'${name}'`)
      .join(', ')}`,
    found: quote(optimizer),
    fix: 'write optimizer: train.adamw({ learningRate: 1e-4 })',
  });
}

/** The schedule that is given or named. */
export function chooseSchedule({ schedule = 'constant', warmup }: SftOptions): Schedule {
  if (typeof schedule === 'function') {
    if (warmup === undefined) return schedule;
    throw new BadInput({
      problem: 'A warm-up is given beside a schedule function, which has its own',
      where: { key: 'warmup' },
      fix: 'write schedule: train.cosine({ warmup: 10, floor: 0.1 }) and leave warmup out',
    });
  }
  const named: Record<ScheduleName, Schedule> = {
    constant: constant({ warmup }),
    linear: linear({ warmup }),
    cosine: cosine({ warmup }),
    polynomial: polynomial({ warmup }),
    'inverse-sqrt': inverseSqrt({ warmup }),
    wsd: wsd({ warmup }),
  };
  if (Object.hasOwn(named, schedule)) return named[schedule];
  throw new BadInput({
    problem: 'There is no such schedule',
    where: { key: 'schedule' },
    expected: `${Object.keys(named)
      .map(name => `'${name}'`)
      .join(', ')} or a function (step, total) → factor`,
    found: quote(schedule),
    fix: "write schedule: 'cosine'",
  });
}
