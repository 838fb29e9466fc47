/** A MIME bundle as Jupyter understands it: MIME type → content. */
export type MimeBundle = Record<string, unknown>;

/** What goes through a comm in one direction: JSON data and, beside it, binary parts. */
export interface CommMessage {
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
  buffers: readonly Uint8Array[];
}

/** What may travel with the data of a comm message. Both default to nothing. */
export type CommExtras = Partial<Pick<CommMessage, 'metadata' | 'buffers'>>;

/**
 * One two-way channel to an object of the front end (a widget, our Stop button). The front end's messages arrive while a cell
 * runs, too, as soon as the cell lets the event loop turn. After its close, `send` and `close` do nothing.
 */
export interface Comm {
  readonly id: string;
  /** Name under which the other side registered what answers. */
  readonly target: string;
  /** Closed by either side, or never opened because the front end has no such target. */
  readonly closed: boolean;
  send(data: Record<string, unknown>, extras?: CommExtras): void;
  close(data?: Record<string, unknown>, extras?: CommExtras): void;
  /** Called with every message of the front end. Returns what ends that. */
  onMessage(handler: (message: CommMessage) => void): () => void;
  /** Called once, when the *front end* closes the comm (or refuses to open it). Returns what ends that. */
  onClose(handler: (message: CommMessage) => void): () => void;
}

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
  /**
   * Run `task` once, when the running cell has ended (well, with an error or by an interrupt) and before the front end is told:
   * the moment for a live display to deliver its last state, since a headless run of a notebook ends with its last cell. The
   * host waits a few seconds for it at most. Missing where the host knows of no such moment.
   */
  onCellEnd?(task: () => void | Promise<void>): void;
  /** Open a comm to the front end's `target`. Missing where the host has no comms. `id` defaults to a new one. */
  comm?(target: string, data?: Record<string, unknown>, extras?: CommExtras & { id?: string }): Comm;
  /** Take the comms that the front end opens to `target`; replaces an earlier handler. Returns what ends that. Missing where the host has no comms. */
  onComm?(target: string, handler: (comm: Comm, opening: CommMessage) => void): () => void;
  /** Show a bundle in the front end's pager, apart from the cell's outputs. Missing where the host has no pager. */
  page?(bundle: MimeBundle): void;
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
