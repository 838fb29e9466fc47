import { BadInput } from '../../../base/core/index.js';
import { printable, type TensorEntry } from './safetensors.js';
import type { WeightFile } from './shards.js';

/** A tensor of one of the files. */
export type FoundTensor = TensorEntry & { file: string };

/** What a model needs of a weight. */
export interface WantedWeight {
  name: string;
  shape: readonly number[];
}

/**
 * The tensor of each wanted weight. Throws one BadInput that lists everything that does not fit: missing and unknown weights,
 * those of another shape or type, and those that come twice.
 * @param canonical the weight that a tensor of the files is, undefined for one that is computed and need not be read.
 */
export function matchWeights(
  wanted: readonly WantedWeight[],
  found: readonly FoundTensor[],
  canonical: (name: string) => string | undefined,
  dir: string,
): Map<string, FoundTensor> {
  const specs = new Map(wanted.map(spec => [spec.name, spec]));
  const matched = new Map<string, FoundTensor>();
  const [unknown, twice, misshaped, mistyped]: string[][] = [[], [], [], []] as string[][];
  for (const tensor of found) {
    const name = canonical(tensor.name);
    if (name === undefined) continue;
    const spec = specs.get(name);
    if (!spec) {
      unknown!.push(tensor.name);
      continue;
    }
    if (matched.has(name)) twice!.push(tensor.name);
    matched.set(name, tensor);
    const { shape, dtype } = tensor;
    if (shape.length !== spec.shape.length || shape.some((n, i) => n !== spec.shape[i]))
      misshaped!.push(`${tensor.name} is [${shape.join(', ')}] instead of [${spec.shape.join(', ')}]`);
    if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') mistyped!.push(`${tensor.name} is ${dtype}`);
  }
  const missing = wanted.filter(({ name }) => !matched.has(name)).map(({ name }) => name);
  const problems = [
    ...list('missing', missing),
    ...list('unknown', unknown!),
    ...list('of another shape', misshaped!),
    ...list('of a type other than F32, F16 and BF16', mistyped!),
    ...list('there twice', twice!),
  ];
  if (problems.length > 0)
    throw new BadInput({
      problem: `The weights do not fit config.json – ${problems.join('. ')}`,
      where: { file: dir },
      fix:
        mistyped!.length === problems.length && problems.length === 1
          ? 'save the model in one of these types (transformers: model.to(torch.float32).save_pretrained(dir))'
          : 'use the config.json that was saved with these weights',
    });
  return matched;
}

/** Every tensor is in the shard that the index places it in. */
export function checkIndex(files: readonly WeightFile[], found: readonly FoundTensor[], dir: string): void {
  const inFile = new Map<string, Set<string>>();
  for (const { name, file } of found) inFile.set(file, (inFile.get(file) ?? new Set()).add(name));
  const lacking = files.flatMap(({ path, names = [] }) =>
    names.filter(name => !inFile.get(path)?.has(name)).map(name => ({ path, name })),
  );
  if (lacking.length === 0) return;
  throw new BadInput({
    problem: `A shard lacks weights that the index places in it: ${some(lacking.map(({ name }) => name))}`,
    where: { file: lacking[0]!.path },
    fix: `download the shards of ${dir} again`,
  });
}

/** Weights with NaN or infinite values. */
export function nonFiniteError(names: readonly string[], dir: string): BadInput {
  return new BadInput({
    problem: `${names.length === 1 ? 'A weight has values' : `${names.length} weights have values`} that are not finite numbers (NaN or infinity): ${some(names, 5)}`,
    where: { file: dir },
    fix: 'the model was broken when it was saved (a diverged training?): load an earlier one, or look at it with allowNonFinite: true',
  });
}

function list(label: string, names: readonly string[]): string[] {
  return names.length > 0 ? [`${label}: ${some(names)}`] : [];
}

function some(names: readonly string[], most = 20): string {
  const rest = names.length - most;
  return `${names.slice(0, most).map(printable).join('; ')}${rest > 0 ? `; and ${rest} more` : ''}`;
}
