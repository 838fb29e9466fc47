/** The key under which an object describes itself for display (contract 7). `show` maps `kind` to a figure. */
export const VIEW: unique symbol = Symbol.for('tunebook.view');

/** A description of an object as plain data: arrays, numbers, strings. */
export interface View {
  kind: string;
  data: unknown;
}

/** An object that knows how it wants to be shown, without knowing about figures. */
export interface Viewable {
  [VIEW](): View;
}

/**
 * Give the objects of a class their view: `setView(Run, run => ({ kind: 'run', data: … }))`. A class cannot name the symbol
 * itself, because isolatedDeclarations refuses computed names in classes.
 */
export function setView<T extends object>(type: { readonly prototype: T }, view: (object: T) => View): void {
  Object.defineProperty(type.prototype, VIEW, {
    configurable: true,
    writable: true,
    value(this: T) {
      return view(this);
    },
  });
}

export function isViewable(value: unknown): value is Viewable {
  return typeof (value as Partial<Viewable> | null | undefined)?.[VIEW] === 'function';
}

/** How an object describes itself, or undefined when it does not. */
export function viewOf(value: unknown): View | undefined {
  return isViewable(value) ? value[VIEW]() : undefined;
}

/** Turns a value into a MIME bundle (`text/plain` at least), or undefined when it has no view. */
export type Renderer = (value: unknown) => Promise<Record<string, unknown> | undefined>;

const RENDERER = Symbol.for('tunebook.renderer');

/** `show` registers itself here when it is imported, so that a kernel can show our objects without knowing of figures. */
export function setRenderer(renderer: Renderer): void {
  (globalThis as Record<symbol, unknown>)[RENDERER] = renderer;
}

export function renderer(): Renderer | undefined {
  return (globalThis as Record<symbol, unknown>)[RENDERER] as Renderer | undefined;
}

/** An object whose view changes, and which says when it does. */
export interface Changing extends Viewable {
  /** Call `listener` after every change; returns the function that unsubscribes. */
  onChange(listener: () => void): () => void;
}

/** Shows an object in the notebook and draws it anew in place as it changes; undefined where there is no notebook. */
export type Follower = (
  object: Changing,
) => { /** The last state is shown before this resolves. */ stop(): Promise<void> } | undefined;

const FOLLOWER = Symbol.for('tunebook.follower');

/** `show` registers itself here too, so that an object can be watched while it changes. */
export function setFollower(follower: Follower): void {
  (globalThis as Record<symbol, unknown>)[FOLLOWER] = follower;
}

export function follower(): Follower | undefined {
  return (globalThis as Record<symbol, unknown>)[FOLLOWER] as Follower | undefined;
}
