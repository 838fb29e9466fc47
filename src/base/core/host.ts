/** A MIME bundle as Jupyter understands it: MIME type → content. */
export type MimeBundle = Record<string, unknown>;

/**
 * What the process that runs a cell offers to libraries. The tunebook kernel's executor installs one; elsewhere there is
 * none and callers fall back (HTML file, terminal). It hangs on a global symbol so that neither side imports the other.
 */
export interface Host {
  name: string;
  /** Show a bundle. With `displayId` and `update` an earlier display with that id is replaced in place. */
  display(bundle: MimeBundle, options?: { displayId?: string; update?: boolean; metadata?: Record<string, unknown> }): void;
  /** Clear the cell's output; with `wait`, when the next output arrives. */
  clear(wait?: boolean): void;
  /** Aborted when the user interrupts the running cell. A new one for every cell. */
  readonly signal: AbortSignal | undefined;
  /** Run a section that an interrupt must not cut: forced termination waits for its end. */
  shield<T>(section: () => T): T;
}

const HOST = Symbol.for('tunebook.host');

/** The host of this process, or undefined outside a notebook. */
export function host(): Host | undefined {
  return (globalThis as Record<symbol, unknown>)[HOST] as Host | undefined;
}

/** Install (or with undefined remove) the host. For kernels and tests. */
export function setHost(value: Host | undefined): void {
  (globalThis as Record<symbol, unknown>)[HOST] = value;
}

/** Run `section` (a training step, a save) so that a notebook interrupt waits for its end. A plain call where there is no host. */
export function shield<T>(section: () => T): T {
  const current = host();
  return current ? current.shield(section) : section();
}
