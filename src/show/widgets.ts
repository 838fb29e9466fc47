import { type Comm, host } from '../base/core/index.js';

/**
 * The kernel's side of Jupyter's widget messages (version 2.1 of its schema), as far as our buttons, lists and fields need them.
 *
 * Why widgets: a button has to reach the kernel while a cell runs, and JupyterLab gives that way only to comms whose front end is
 * an extension. HTML output cannot (it is inert, as ours should be), and a script in an output would find the server's REST
 * interface and token, but neither the kernel nor a promise that it stays so. An extension of our own would serve JupyterLab
 * alone; the widget manager (`jupyterlab_widgets`, 0.2 MB without dependencies) serves JupyterLab 4 and Notebook 7, and VS Code
 * has one built in. Where there is none, the output's text form says how to stop.
 */

/** What a front end with widgets draws. */
export const WIDGET_MIME = 'application/vnd.jupyter.widget-view+json';

const TARGET = 'jupyter.widget';
const CONTROL = 'jupyter.widget.control';
const PROTOCOL = { metadata: { version: '2.1.0' } };
const MODULES_VERSION = '2.0.0';
const BASE = '@jupyter-widgets/base';
const CONTROLS = '@jupyter-widgets/controls';

type State = Record<string, unknown>;

/** Widgets that are open: a page that is loaded anew asks for them. */
const open = new Map<string, { comm: Comm; state: State }>();

interface Widget {
  readonly comm: Comm;
  set(change: State): void;
}

function widget(state: State): Widget {
  const comm = host()!.comm!(TARGET, { state, buffer_paths: [] }, PROTOCOL);
  open.set(comm.id, { comm, state });
  comm.onMessage(({ data }) => {
    if (data.method === 'request_state') comm.send({ method: 'update', state, buffer_paths: [] }, PROTOCOL);
  });
  comm.onClose(() => void open.delete(comm.id));
  return {
    comm,
    set(change) {
      Object.assign(state, change);
      comm.send({ method: 'update', state: change, buffer_paths: [] }, PROTOCOL);
    },
  };
}

/** A page that is loaded while the cell runs asks through this comm for all widgets at once. */
function answerReloads(): void {
  host()?.onComm?.(CONTROL, comm => {
    comm.onMessage(({ data }) => {
      if (data.method !== 'request_states') return;
      const states = Object.fromEntries(
        [...open].map(([id, { state }]) => [
          id,
          {
            model_module: state._model_module,
            model_module_version: state._model_module_version,
            model_name: state._model_name,
            state,
          },
        ]),
      );
      comm.send({ method: 'update_states', states, buffer_paths: [] }, PROTOCOL);
    });
  });
}

/** What places a widget in an output, under {@link WIDGET_MIME}. */
export interface WidgetView {
  version_major: number;
  version_minor: number;
  model_id: string;
}

/** Something in the front end to be used: a button, a list, a field. */
export interface Control {
  readonly view: WidgetView;
  /** Change its state, by the names of the widgets' schema: `description`, `disabled`, `value`. */
  set(change: State): void;
  close(): void;
}

/** A button in the front end. */
export interface Button extends Omit<Control, 'set'> {
  /** Change its words; one that is not enabled can be clicked no more. */
  set(description: string, enabled: boolean): void;
}

/**
 * A button that calls `onClick`. Undefined where the host has no comms.
 * @param words short plain text; the front end does not read it as HTML
 */
export function button(words: { description: string; tooltip: string }, onClick: () => void): Button | undefined {
  const made = pressed(words, onClick);
  return made && { ...made, set: (description, enabled) => made.set({ description, disabled: !enabled }) };
}

function pressed(words: { description: string; tooltip: string }, onClick: () => void): Control | undefined {
  const state = { ...words, disabled: false, button_style: '', icon: '' };
  return control('Button', state, { style: 'ButtonStyle' }, data => {
    const content = data.content as { event?: unknown } | undefined;
    if (data.method === 'custom' && content?.event === 'click') onClick();
  });
}

/** A list of which one entry is chosen, the first to begin with. Undefined where the host has no comms. */
export function dropdown(
  description: string,
  entries: readonly string[],
  onChoice: (index: number) => void,
): Control | undefined {
  const state = { description, _options_labels: [...entries], index: 0, disabled: false };
  return control('Dropdown', state, { style: 'DescriptionStyle' }, data => {
    const index = stateOf(data).index;
    if (typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < entries.length) onChoice(index);
  });
}

/** A field for one line, told of when it is entered. Undefined where the host has no comms. */
export function textField(placeholder: string, onText: (text: string) => void): Control | undefined {
  const state = { value: '', placeholder, description: '', continuous_update: false, disabled: false };
  return control('Text', state, { style: 'DescriptionStyle', width: '14em' }, data => {
    const { value } = stateOf(data);
    if (typeof value === 'string') onText(value);
  });
}

/** Controls side by side; with it they are closed. Undefined where one of them is. */
export function row(children: readonly (Pick<Control, 'view' | 'close'> | undefined)[]): Control | undefined {
  const all = children.filter(child => child !== undefined);
  if (all.length < children.length) return undefined;
  const state = { children: all.map(child => `IPY_MODEL_${child.view.model_id}`), box_style: '' };
  const box = control('HBox', state, {}, () => undefined);
  return (
    box && {
      ...box,
      close() {
        box.close();
        for (const child of all) child.close();
      },
    }
  );
}

/** State that the front end says has changed. */
function stateOf(data: Record<string, unknown>): State {
  const { method, state } = data as { method?: unknown; state?: State };
  return method === 'update' && state !== null && typeof state === 'object' ? state : {};
}

/** A widget with the layout and style it must have. */
function control(
  name: string,
  state: State,
  { style, width = 'auto' }: { style?: 'ButtonStyle' | 'DescriptionStyle'; width?: string },
  onMessage: (data: Record<string, unknown>) => void,
): Control | undefined {
  if (!host()?.comm) return undefined;
  answerReloads();
  const layout = widget({ ...model(BASE, 'Layout'), ...view(BASE, 'Layout'), width });
  const look = style && widget({ ...model(CONTROLS, style), ...view(BASE, 'Style') });
  const face = widget({
    ...model(CONTROLS, name),
    ...view(CONTROLS, name),
    ...state,
    layout: `IPY_MODEL_${layout.comm.id}`,
    ...(look ? { style: `IPY_MODEL_${look.comm.id}` } : {}),
  });
  face.comm.onMessage(({ data }) => onMessage(data));
  return {
    view: { version_major: 2, version_minor: 0, model_id: face.comm.id },
    set: change => face.set(change),
    close() {
      for (const each of [face, look, layout]) {
        if (!each) continue;
        open.delete(each.comm.id);
        each.comm.close();
      }
    },
  };
}

function model(module: string, name: string): State {
  return { _model_module: module, _model_module_version: MODULES_VERSION, _model_name: `${name}Model` };
}

function view(module: string, name: string): State {
  return { _view_module: module, _view_module_version: MODULES_VERSION, _view_name: `${name}View` };
}
