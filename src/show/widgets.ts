import { type Comm, host } from '../base/core/index.js';

/**
 * The kernel's side of Jupyter's widget messages (version 2.1 of its schema), as far as our one button needs them.
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

/** A button in the front end. */
export interface Button {
  /** The MIME content that places it in an output. */
  readonly view: { version_major: number; version_minor: number; model_id: string };
  /** Change its words; one that is not enabled can be clicked no more. */
  set(description: string, enabled: boolean): void;
  close(): void;
}

/**
 * A button that calls `onClick`. Undefined where the host has no comms.
 * @param words short plain text; the front end does not read it as HTML
 */
export function button(words: { description: string; tooltip: string }, onClick: () => void): Button | undefined {
  if (!host()?.comm) return undefined;
  answerReloads();
  const layout = widget({ ...model(BASE, 'Layout'), ...view(BASE, 'Layout'), width: 'auto' });
  const style = widget({ ...model(CONTROLS, 'ButtonStyle'), ...view(BASE, 'Style') });
  const face = widget({
    ...model(CONTROLS, 'Button'),
    ...view(CONTROLS, 'Button'),
    ...words,
    disabled: false,
    button_style: '',
    icon: '',
    layout: `IPY_MODEL_${layout.comm.id}`,
    style: `IPY_MODEL_${style.comm.id}`,
  });
  face.comm.onMessage(({ data }) => {
    const content = data.content as { event?: unknown } | undefined;
    if (data.method === 'custom' && content?.event === 'click') onClick();
  });
  return {
    view: { version_major: 2, version_minor: 0, model_id: face.comm.id },
    set: (description, enabled) => face.set({ description, disabled: !enabled }),
    close() {
      for (const { comm } of [face, style, layout]) {
        open.delete(comm.id);
        comm.close();
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
