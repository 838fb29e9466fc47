import { type Comm, type Host, type MimeBundle, setHost } from '../../src/base/core/index.js';

/** A widget that is open in the front end, and what it may do. */
export interface FakeWidget {
  id: string;
  name: string;
  state: Record<string, unknown>;
  closed: boolean;
  click(): void;
  /** The user changes its state. */
  change(state: Record<string, unknown>): void;
}

/** A notebook with widgets: what it shows, by output in the order they came, and its widgets. Take it away with `setHost(undefined)`. */
export function widgetHost(options: { comms?: boolean } = {}): {
  outputs: Map<string, MimeBundle>;
  widgets: FakeWidget[];
  /** The open widget of this kind with this description, placeholder or options. */
  find(name: string, words: string): FakeWidget;
} {
  const outputs = new Map<string, MimeBundle>();
  const widgets: FakeWidget[] = [];
  const comm = (_: string, data: Record<string, unknown>): Comm => {
    let says: ((message: { data: Record<string, unknown> }) => void)[] = [];
    const state = { ...(data.state as Record<string, unknown>) };
    const fake: FakeWidget = {
      id: `widget-${widgets.length}`,
      name: String(state._model_name).replace('Model', ''),
      state,
      closed: false,
      click: () => says.forEach(say => void say({ data: { method: 'custom', content: { event: 'click' } } })),
      change: change => says.forEach(say => void say({ data: { method: 'update', state: change } })),
    };
    widgets.push(fake);
    return {
      id: fake.id,
      send: (sent: Record<string, unknown>) => Object.assign(state, sent.state),
      close: () => {
        fake.closed = true;
      },
      onMessage: (say: never) => {
        says.push(say);
        return () => {
          says = says.filter(other => other !== say);
        };
      },
      onClose: () => () => undefined,
    } as unknown as Comm;
  };
  setHost({
    name: 'tunebook',
    display: (bundle: MimeBundle, { displayId = '' }: { displayId?: string }) => void outputs.set(displayId, bundle),
    clear: () => undefined,
    signal: undefined,
    shield: (section: () => unknown) => section(),
    ...(options.comms === false ? {} : { comm, onComm: () => () => undefined }),
  } as unknown as Host);
  const find = (name: string, words: string) => {
    const found = widgets.find(
      one =>
        one.name === name &&
        !one.closed &&
        [one.state.description, one.state.placeholder, one.state._options_labels].flat().includes(words),
    );
    if (!found) throw new Error(`no ${name} says ${words}`);
    return found;
  };
  return { outputs, widgets, find };
}
