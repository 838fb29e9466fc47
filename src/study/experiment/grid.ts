import { BadInput, nearest, quote, refuseUnknown } from '../../base/core/index.js';
import { type Config, canonical, isPlain, type Value } from './canonical.js';

/** Values that a setting takes only where others allow it; made by {@link when}. */
export class When {
  readonly condition: Condition;
  readonly values: Value | readonly Value[];

  constructor(condition: Condition, values: Value | readonly Value[]) {
    this.condition = condition;
    this.values = values;
  }
}

/** Settings that must have these values (one of them, where a list is given), or a function of the settings before it. */
export type Condition = Readonly<Record<string, Value | readonly Value[]>> | ((config: Readonly<Config>) => boolean);

/** Settings by name: a list is tried through, anything else is the same for all. A value that is itself a list goes into a list. */
export type GridEntries = Readonly<Record<string, Value | readonly Value[] | When>>;

/** What a sweep tries: the product of named values, or a list of such grids (of single configurations, too), one after the other. */
export type Grid = GridEntries | readonly GridEntries[];

/** Configurations at most: a misplaced list must not fill the memory. */
const MOST = 100_000;

/**
 * A setting that is there only under a condition: `{ method: ['full', 'lora'], rank: when({ method: 'lora' }, [4, 16]) }` is three
 * configurations. The condition sees the settings that stand before it in the grid.
 */
export function when(condition: Condition, values: Value | readonly Value[]): When {
  return new When(condition, values);
}

/** Every configuration of a grid, in the order it is written (the first setting changes slowest); equal ones once. */
export function expand(grid: Grid): Config[] {
  const found = new Map<string, Config>();
  for (const entries of isList(grid) ? grid : [grid]) {
    if (!isPlain(entries))
      throw new BadInput({
        problem: 'this is no grid',
        where: { key: 'grid' },
        expected: '{ setting: [values, …], … } or a list of such objects',
        found: quote(entries),
      });
    for (const config of expandOne(entries)) {
      found.set(canonical(config, 'grid'), config);
      if (found.size > MOST) throw tooMany();
    }
  }
  return [...found.values()];
}

/** Every configuration of one grid with every one of the next: `product(budget({ … }), { method: ['full', 'lora'] })`. */
export function product(...grids: Grid[]): Config[] {
  let all: Config[] = [{}];
  for (const grid of grids) {
    const next = expand(grid);
    if (all.length * next.length > MOST) throw tooMany();
    const twice = [...settingsOf(next)].find(key => settingsOf(all).has(key));
    if (twice !== undefined)
      throw new BadInput({ problem: `the setting ${quote(twice)} stands in two grids`, fix: 'give it in one of them' });
    all = all.flatMap(config => next.map(more => ({ ...config, ...more })));
  }
  return all;
}

const settingsOf = (configs: readonly Config[]): Set<string> => new Set(configs.flatMap(config => Object.keys(config)));

function expandOne(entries: GridEntries): Config[] {
  let configs: Config[] = [{}];
  const before: string[] = [];
  for (const [key, given] of Object.entries(entries)) {
    checkName(key);
    const { condition, values } = given instanceof When ? given : { condition: undefined, values: given };
    const list: readonly Value[] = isList(values) ? values : [values as Value];
    if (list.length === 0)
      throw new BadInput({ problem: 'a setting has no values', where: { key: `grid.${key}` }, fix: 'give one, or leave it out' });
    for (const value of list) canonical(value, `grid.${key}`);
    if (condition && typeof condition !== 'function') checkCondition(key, condition, before);
    if (configs.length * list.length > MOST) throw tooMany();
    configs = configs.flatMap(config =>
      condition && !holds(condition, config) ? [config] : list.map(value => ({ ...config, [key]: value })),
    );
    before.push(key);
  }
  return configs;
}

function checkName(key: string): void {
  if (key !== 'seed' && key !== '__proto__' && key !== '') return;
  throw new BadInput({
    problem: `a setting cannot be named ${quote(key)}`,
    where: { key: 'grid' },
    fix: key === 'seed' ? 'give seeds in the option "seeds": every configuration gets the same ones' : 'give it another name',
  });
}

function checkCondition(key: string, condition: object, before: readonly string[]): void {
  for (const name of Object.keys(condition)) {
    if (before.includes(name)) continue;
    const near = nearest(name, before);
    throw new BadInput({
      problem: `the condition names a setting that does not stand before it: ${quote(name)}`,
      where: { key: `grid.${key}` },
      expected: before.length > 0 ? `one of ${before.join(', ')}` : 'a setting before this one',
      fix: near ? `did you mean "${near}"?` : `put ${quote(name)} before "${key}"`,
    });
  }
}

function holds(condition: Condition, config: Config): boolean {
  if (typeof condition === 'function') return condition(config);
  return Object.entries(condition).every(([name, wanted]) => {
    if (!Object.hasOwn(config, name)) return false;
    const has = canonical(config[name], name);
    return (isList(wanted) ? wanted : [wanted]).some(value => canonical(value, name) === has);
  });
}

// Array.isArray does not narrow a readonly list.
function isList<T>(value: T): value is Extract<T, readonly unknown[]> {
  return Array.isArray(value);
}

function tooMany(): BadInput {
  return new BadInput({ problem: 'the grid is too large', where: { key: 'grid' }, expected: `at most ${MOST} configurations` });
}

/** Options of {@link budget}. */
export interface BudgetOptions {
  /** Examples there are in all, N; several are tried one after the other. */
  total: number | readonly number[];
  /** Numbers of tasks (instructions, templates) the examples are spread over. */
  tasks: readonly number[];
  /** Refuse numbers of tasks that do not divide the total (the default). With false each task gets ⌊total ÷ tasks⌋ examples. */
  exact?: boolean;
}

/** One way to spend a budget. */
export interface BudgetSplit {
  tasks: number;
  /** Examples of each task. */
  examples: number;
  [key: string]: number;
}

/**
 * A fixed total budget N = tasks × examples as a grid: more tasks with fewer examples each, which is how diversity is told from the
 * amount of data. `sweep({ budget: budget({ total: 16384, tasks: [8, 64, 512] }), grid, … })`.
 */
export function budget(options: BudgetOptions): BudgetSplit[] {
  refuseUnknown('experiment.budget', options, ['total', 'tasks', 'exact']);
  const { total, tasks, exact = true } = options;
  const whole = (key: string, value: unknown) => {
    if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
    throw new BadInput({
      problem: 'this is no count',
      where: { key: `budget.${key}` },
      expected: 'a whole number of at least 1',
      found: quote(value),
    });
  };
  return (isList(total) ? total : [total]).flatMap(each => {
    const all = whole('total', each);
    return Array.from(tasks, value => {
      const count = whole('tasks', value);
      const examples = Math.floor(all / count);
      if (examples < 1 || (exact && examples * count !== all))
        throw new BadInput({
          problem: `${all} examples cannot be spread evenly over ${count} tasks`,
          where: { key: 'budget.tasks' },
          expected: examples < 1 ? `at most ${all} tasks` : `a number that divides ${all}, e.g. ${near(all, count).join(' or ')}`,
          fix: examples < 1 ? 'give a larger total' : 'or set exact: false, which rounds the examples of a task down',
        });
      return { tasks: count, examples };
    });
  });
}

/** The divisors of `total` next to `count`, the smaller and, where it is not far, the larger. */
function near(total: number, count: number): number[] {
  let [below, above] = [count, count];
  while (total % below !== 0) below--;
  while (total % above !== 0 && above < 4 * count) above++;
  return [below, above].filter(value => total % value === 0);
}
