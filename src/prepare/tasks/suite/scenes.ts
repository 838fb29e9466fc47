import type { Random } from '../../../base/core/index.js';
import { ACTIONS, ANIMALS, COLORS, DAYS, FOODS, NAMES, PLACES, TOOLS } from './vocabulary.js';

/** Somebody did something to something: what notes and sentences are made of. */
export interface Scene {
  name: string;
  action: (typeof ACTIONS)[number];
  color: string;
  thing: string;
  day: string;
  place: string;
}

export function scene(random: Random): Scene {
  return {
    name: random.pick(NAMES),
    action: random.pick(ACTIONS),
    color: random.pick(COLORS),
    thing: random.pick(TOOLS),
    day: random.pick(DAYS),
    place: random.pick(PLACES),
  };
}

/** `on monday tom bought a red pen at the market` */
export function note({ name, action, color, thing, day, place }: Scene): string {
  return `on ${day} ${name} ${action.past} the ${color} ${thing} at the ${place}`;
}

/** `tom finds the red pen`, the longer the higher the level. */
export function sentence(random: Random, level: number): string {
  const { name, action, color, thing, day, place } = scene(random);
  const parts = [`${name} ${action.third} the`, level > 1 ? `${color} ${thing}` : thing];
  if (level > 2) parts.push(`at the ${place}`);
  if (level > 3) parts.push(`on ${day}`);
  return parts.join(' ');
}

/** The fields of a record and what may stand in them. */
export const FIELDS: Readonly<Record<string, readonly string[]>> = {
  name: NAMES,
  color: COLORS,
  tool: TOOLS,
  food: FOODS,
  animal: ANIMALS,
  day: DAYS,
  place: PLACES,
  number: ['1', '2', '3', '4', '5', '6', '7', '8', '9'],
};

export const FIELD_NAMES: readonly string[] = Object.keys(FIELDS);

/** Fields with random values, in random order; those of `inside` are among them. */
export function record(random: Random, size: number, ...inside: string[]): [string, string][] {
  const others = random.sample(
    FIELD_NAMES.filter(field => !inside.includes(field)),
    Math.max(0, size - inside.length),
  );
  return random.shuffle([...inside, ...others]).map(field => [field, random.pick(FIELDS[field]!)]);
}

/** `name: tom, color: red` */
export function writeRecord(fields: readonly (readonly [string, string])[]): string {
  return fields.map(([field, value]) => `${field}: ${value}`).join(', ');
}
