import { type Component, flattenComponent } from '../hf.js';

/** What the post-processor puts before and after one sequence. `idOf` finds the ids of tokens named by their text alone. */
export function specialsOf(component: Component | null, idOf: (token: string) => number | undefined): [number[], number[]] {
  let before: number[] = [];
  let after: number[] = [];
  for (const part of flattenProcessors(component)) {
    const [front, back] = single(part, idOf);
    before = [...front, ...before];
    after = [...after, ...back];
  }
  return [before, after];
}

function flattenProcessors(component: Component | null): Component[] {
  if (component?.type === 'Sequence') return ((component.processors ?? []) as Component[]).flatMap(flattenProcessors);
  return flattenComponent(component);
}

function single(component: Component, idOf: (token: string) => number | undefined): [number[], number[]] {
  const one = ([token, id]: [string, number]) => [id ?? idOf(token)].filter(n => n !== undefined);
  if (component.type === 'BertProcessing' || component.type === 'RobertaProcessing')
    return [one(component.cls as [string, number]), one(component.sep as [string, number])];
  if (component.type !== 'TemplateProcessing') return [[], []];
  const known = (component.special_tokens ?? {}) as Record<string, { ids?: number[] }>;
  const before: number[] = [];
  const after: number[] = [];
  let side = before;
  for (const piece of (component.single ?? []) as { SpecialToken?: { id: string }; Sequence?: object }[]) {
    if (piece.Sequence) side = after;
    const name = piece.SpecialToken?.id;
    if (name !== undefined) side.push(...(known[name]?.ids ?? [idOf(name)].filter(n => n !== undefined)));
  }
  return [before, after];
}
