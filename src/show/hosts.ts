import { createRequire } from 'node:module';
import { inspect } from 'node:util';
import { host, type MimeBundle, writeFileAtomic } from '../base/core/index.js';
import { page } from './page.js';
import { isTokenView } from './token-cells.js';
import { tokensAnsi } from './tokens-text.js';
import { bundleOf, figureFor } from './views.js';

/** One place in a notebook where a bundle stands and can be replaced. */
export interface Spot {
  /** Which host shows it. */
  readonly host: 'tunebook' | 'tslab' | 'deno';
  /** Show `bundle` here, replacing what was shown before. */
  show(bundle: MimeBundle): Promise<void>;
}

interface Tslab {
  newDisplay(): { raw(mime: string, content: unknown): void };
}

/** What tslab's display functions are made of; not part of its public surface. */
interface TslabInside {
  lastWriteDisplayData(content: { data: MimeBundle; metadata: object; transient: { display_id: string } }, update: boolean): void;
}

interface DenoJupyter {
  display(bundle: MimeBundle, options: { raw: true; display_id?: string; update?: boolean }): Promise<void>;
}

let spots = 0;

/** A new spot in the notebook this process runs in; undefined outside a notebook. */
export function newSpot(): Spot | undefined {
  const displayId = `tunebook-${process.pid}-${Date.now().toString(36)}-${spots++}`;
  const ours = host();
  if (ours) {
    let shown = false;
    return {
      host: 'tunebook',
      async show(bundle) {
        // The host of now: a new cell may have installed another one.
        (host() ?? ours).display(bundle, { displayId, update: shown });
        shown = true;
      },
    };
  }
  const deno = findDeno();
  if (deno) {
    let shown = false;
    return {
      host: 'deno',
      async show(bundle) {
        await deno.display(bundle, { raw: true, display_id: displayId, update: shown });
        shown = true;
      },
    };
  }
  const tslab = findTslab();
  if (!tslab) return undefined;
  const inside = tslabInside();
  if (inside) {
    let shown = false;
    return {
      host: 'tslab',
      async show(data) {
        inside.lastWriteDisplayData({ data, metadata: {}, transient: { display_id: displayId } }, shown);
        shown = true;
      },
    };
  }
  const area = tslab.newDisplay();
  return {
    host: 'tslab',
    async show(bundle) {
      const [mime, content] = richest(bundle);
      area.raw(mime, content);
    },
  };
}

/** Whether this process runs cells of a notebook. */
export function inNotebook(): boolean {
  return (host() ?? findDeno() ?? findTslab()) !== undefined;
}

/** Deno's kernel; touching `Deno.jupyter` outside a notebook throws. */
function findDeno(): DenoJupyter | undefined {
  try {
    return (globalThis as { Deno?: { jupyter?: DenoJupyter } }).Deno?.jupyter;
  } catch {
    return undefined;
  }
}

/** tslab hangs its `require`, which knows its display functions, on a global while it runs cells. */
function findTslab(): Tslab | undefined {
  const inside = (globalThis as { __tslab__?: { require?: (name: string) => unknown } }).__tslab__;
  try {
    return inside?.require?.('tslab') as Tslab | undefined;
  } catch {
    return undefined;
  }
}

/** tslab's display takes one MIME type a call; what lies below it takes whole bundles, and is found among the loaded modules. */
function tslabInside(): TslabInside | undefined {
  const loaded = Object.entries(createRequire(import.meta.url).cache);
  const inside = loaded.find(([file]) => /[\\/]tslab[\\/]dist[\\/]jupyter\.js$/.test(file))?.[1]?.exports as
    | TslabInside
    | undefined;
  return typeof inside?.lastWriteDisplayData === 'function' ? inside : undefined;
}

/** tslab takes one MIME type a call: the one a front end would choose. */
function richest(bundle: MimeBundle): [mime: string, content: unknown] {
  const order = ['application/vnd.vegalite.v5+json', 'text/html', 'image/svg+xml', 'image/png', 'text/markdown', 'text/plain'];
  const mime = order.find(m => bundle[m] !== undefined) ?? Object.keys(bundle)[0] ?? 'text/plain';
  return [mime, bundle[mime] ?? ''];
}

export interface DisplayOptions {
  /** Outside a notebook: also write the figure to this HTML file. */
  html?: string;
}

/**
 * Show anything: in a notebook as its MIME bundle (our kernel, Deno, tslab), in a terminal as text, with colours where it
 * has them. A display that fails says so on stderr, shows the value as text, and never stops the work that wanted to show something.
 */
export async function display(value: unknown, options: DisplayOptions = {}): Promise<void> {
  try {
    const spot = newSpot();
    if (spot) await spot.show((await bundleOf(value).catch(complain)) ?? { 'text/plain': asText(value) });
    else await inTerminal(value, options);
  } catch (error) {
    complain(error);
  }
}

function complain(error: unknown): undefined {
  process.stderr.write(`display failed: ${error instanceof Error ? error.message : String(error)}\n`);
}

async function inTerminal(value: unknown, options: DisplayOptions): Promise<void> {
  const figure = await figureFor(value).catch(complain);
  process.stdout.write(`${isTokenView(value) && process.stdout.isTTY ? tokensAnsi(value) : (figure?.text ?? asText(value))}\n`);
  if (options.html && figure) {
    await writeFileAtomic(options.html, await page([figure], figure.title === undefined ? {} : { title: figure.title }));
    process.stdout.write(`${options.html}\n`);
  }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value);
}
