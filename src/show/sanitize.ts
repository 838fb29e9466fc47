import { escapeHtml, wellFormed } from './text.js';

const TAGS = new Set(
  'div span p br wbr hr b i em strong small sub sup mark code pre ul ol li table caption thead tbody tfoot tr th td h1 h2 h3 h4 h5 h6 details summary progress del ins'.split(
    ' ',
  ),
);
const VOID = new Set(['br', 'wbr', 'hr']);
// Elements whose content is not text to read: dropped whole.
const DROPPED = new Set(
  'script style template iframe object embed noscript noembed noframes textarea title xmp plaintext svg math select head'.split(
    ' ',
  ),
);
const ATTRIBUTES = /^(class|title|role|dir|colspan|rowspan|scope|tabindex|open|value|max|aria-[a-z]+)$/;
// Colours, borders and alignment; no function but rgb(), so nothing is loaded and nothing leaves its place.
const STYLE =
  /^\s*(?:color|background-color|border|border-(?:top|right|bottom|left)|text-align|font-weight)\s*:(?:[#\w.%\s-]|rgba?\([\d\s.,%]*\))+$/;
const TAG = /<(\/?)([a-zA-Z][a-zA-Z0-9-]*)((?:"[^"]*"|'[^']*'|[^'"<>])*)>|<!--[\s\S]*?(?:-->|$)|<[!?][^>]*>/g;
/** Elements within one another at most; deeper ones lose their marks, not their text. */
const DEPTH = 200;
const ATTRIBUTE = /([a-zA-Z][\w-]*)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)/g;

/**
 * HTML reduced to what a page may hold of somebody else's: text, tables and simple marks, balanced, without style sheets,
 * links, images, forms or script. It is written anew from the parts allowed, so what is not known cannot pass.
 */
export function sanitizeHtml(html: string): string {
  const source = wellFormed(html);
  const out: string[] = [];
  const open: string[] = [];
  let at = 0;
  let dropping: string | undefined;
  const text = (to: number) => {
    if (!dropping) out.push(source.slice(at, to).replaceAll('<', '&lt;').replaceAll('>', '&gt;'));
  };
  for (const match of source.matchAll(TAG)) {
    text(match.index);
    at = match.index + match[0].length;
    const name = match[2]?.toLowerCase();
    if (!name) continue;
    const closing = match[1] === '/';
    if (dropping) {
      if (closing && name === dropping) dropping = undefined;
    } else if (DROPPED.has(name)) {
      if (!closing && !/\/\s*$/.test(match[3]!)) dropping = name;
    } else if (TAGS.has(name)) {
      if (!closing) {
        if (open.length >= DEPTH) continue;
        out.push(`<${name}${attributes(match[3]!)}>`);
        if (!VOID.has(name)) open.push(name);
      } else if (open.includes(name)) {
        let last: string;
        do {
          last = open.pop()!;
          out.push(`</${last}>`);
        } while (last !== name);
      }
    }
  }
  text(source.length);
  return (
    out.join('') +
    open
      .reverse()
      .map(name => `</${name}>`)
      .join('')
  );
}

function attributes(source: string): string {
  const kept: string[] = [];
  for (const [, raw, quoted] of source.matchAll(ATTRIBUTE)) {
    const name = raw!.toLowerCase();
    const value = /^["']/.test(quoted!) ? quoted!.slice(1, -1) : quoted!;
    if (ATTRIBUTES.test(name)) kept.push(` ${name}="${reescape(value)}"`);
    else if (name === 'style')
      kept.push(
        ` style="${value
          .split(';')
          .filter(declaration => STYLE.test(declaration))
          .join(';')}"`,
      );
  }
  return kept.join('');
}

/** Entities that are there stay; what would end the attribute or open a tag is escaped. */
function reescape(value: string): string {
  return value.replace(/&(?!(?:#\d+|#x[\da-f]+|[a-z][a-z\d]*);)/gi, '&amp;').replace(/[<>"']/g, escapeHtml);
}
