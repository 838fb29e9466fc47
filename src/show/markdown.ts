import { escapeHtml, wellFormed } from './text.js';

export interface MarkdownOptions {
  /** HTML of a picture that Markdown names; undefined where it is not at hand: then its text stands there. */
  picture?: (target: string, alt: string) => string | undefined;
}

/**
 * Markdown as notebooks use it – headings, lists, quotes, fenced code, tables, emphasis, code, formulas, links – as HTML. Everything
 * is escaped first, HTML in the source is shown as text, formulas as they are written, and links lead to http(s), mail or a heading of
 * the page only.
 */
export function markdown(source: string, options: MarkdownOptions = {}): string {
  return blocks(source, 0, options);
}

/** A line of Markdown without its marks. */
export function plainText(line: string): string {
  return line.replace(/!?\[([^[\]\n]*)\]\([^()\s]*\)/g, '$1').replace(/\*\*|__|`|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)/g, '');
}

/** Lists and quotes within one another at most; a line or paragraph of more characters than this has no marks. */
const DEPTH = 20;
const LONGEST = 20_000;

function blocks(source: string, depth: number, o: MarkdownOptions): string {
  if (depth > DEPTH) return `<p>${escapeHtml(source)}</p>`;
  const lines = wellFormed(source).replace(/\r\n?/g, '\n').split('\n');
  const out: string[] = [];
  let i = 0;
  const take = (match: (line: string) => boolean) => {
    const start = i;
    while (i < lines.length && match(lines[i]!)) i++;
    return lines.slice(start, i);
  };
  while (i < lines.length) {
    const line = lines[i]!;
    if (line.length > LONGEST) {
      i++;
      const [, alt, data] = PICTURE.exec(line) ?? [];
      out.push(data === undefined ? `<p>${escapeHtml(line)}</p>` : pictureOf(data, alt!));
      continue;
    }
    const fence = /^\s*(```+|~~~+)/.exec(line)?.[1];
    const formula = /^\s*(?:\$\$|\\begin\{(\w+\*?)\})/.exec(line);
    const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (fence) {
      i++;
      const code = take(l => !l.trimStart().startsWith(fence));
      i++;
      out.push(`<pre><code>${escapeHtml(code.join('\n'))}</code></pre>`);
    } else if (formula) {
      const end = formula[1] === undefined ? '$$' : `\\end{${formula[1]}}`;
      // An end that never comes ends with its paragraph.
      const closed = (l: string, from = 0) => l.indexOf(end, from) >= 0;
      const first = i++;
      if (!closed(line, formula[0].length)) {
        take(l => l.trim() !== '' && !closed(l));
        if (i < lines.length && closed(lines[i]!)) i++;
      }
      out.push(`<pre class="tb-math">${escapeHtml(lines.slice(first, i).join('\n'))}</pre>`);
    } else if (heading) {
      i++;
      const tag = `h${heading[1]!.length}`;
      out.push(`<${tag} id="${anchor(plainText(heading[2]!))}">${inline(heading[2]!, o)}</${tag}>`);
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) {
      i++;
      out.push('<hr>');
    } else if (/^\s*>/.test(line)) {
      out.push(
        `<blockquote>${blocks(
          take(l => /^\s*>/.test(l))
            .map(l => l.replace(/^\s*>\s?/, ''))
            .join('\n'),
          depth + 1,
          o,
        )}</blockquote>`,
      );
    } else if (isTableHead(line, lines[i + 1])) {
      out.push(
        tableOf(
          take(l => l.includes('|') && l.trim() !== ''),
          o,
        ),
      );
    } else if (ITEM.test(line)) {
      out.push(
        list(
          take(l => l.length <= LONGEST && (ITEM.test(l) || /^\s+\S/.test(l))),
          depth,
          o,
        ),
      );
    } else if (line.trim() === '') {
      i++;
    } else {
      const first = i++;
      take(l => l.trim() !== '' && !/^\s*(```|~~~|>|#{1,6}\s)/.test(l) && !ITEM.test(l));
      out.push(`<p>${inline(lines.slice(first, i).join('\n'), o)}</p>`);
    }
  }
  return out.join('\n');
}

const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;

function list(lines: string[], level: number, o: MarkdownOptions): string {
  const depth = ITEM.exec(lines[0]!)![1]!.length;
  const ordered = /\d/.test(ITEM.exec(lines[0]!)![2]!);
  const items: { text: string; inner: string[] }[] = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && item[1]!.length <= depth) items.push({ text: item[3]!, inner: [] });
    else if (item || items.at(-1)!.inner.length > 0) items.at(-1)!.inner.push(line);
    else items.at(-1)!.text += `\n${line.trim()}`;
  }
  const body = items
    .map(({ text, inner }) => `<li>${inline(text, o)}${inner.length > 0 ? nested(inner, level + 1, o) : ''}</li>`)
    .join('');
  return ordered ? `<ol>${body}</ol>` : `<ul>${body}</ul>`;
}

function nested(lines: string[], level: number, o: MarkdownOptions): string {
  if (level > DEPTH) return escapeHtml(lines.join('\n'));
  const first = lines.findIndex(l => ITEM.test(l));
  return first === 0 ? list(lines, level, o) : inline(lines.join('\n'), o);
}

function isTableHead(line: string, next: string | undefined): boolean {
  return line.includes('|') && next?.includes('-') === true && /^[\s|:-]+$/.test(next);
}

function tableOf(lines: string[], o: MarkdownOptions): string {
  const cells = (line: string) =>
    line
      .trim()
      .replace(/^\||\|$/g, '')
      .split('|')
      .map(c => inline(c.trim(), o));
  const row = (line: string, tag: string) =>
    `<tr>${cells(line)
      .map(c => `<${tag}>${c}</${tag}>`)
      .join('')}</tr>`;
  return `<table><thead>${row(lines[0]!, 'th')}</thead><tbody>${lines
    .slice(2)
    .map(l => row(l, 'td'))
    .join('')}</tbody></table>`;
}

/** Code, pictures and formulas of one block; nothing inside them is read as markup. */
const WHOLE = /(`+[^`]+`+)|!\[([^[\]\n]*)\]\(([^()\s]*)\)|(\$\$[^$]+\$\$|\$(?![\s$])[^$\n]*[^\s$\\]\$(?!\d))/g;
/** A picture that stands in the text itself, in a line of its own. */
const PICTURE = /^\s*!\[([^[\]\n]{0,500})\]\((data:image\/(?:png|jpeg|gif|webp);base64,[\w+/]+={0,2})\)\s*$/;

/** Spans of one block. */
function inline(source: string, o: MarkdownOptions): string {
  if (source.length > LONGEST) return escapeHtml(source);
  const kept: string[] = [];
  // What is whole stands aside while the marks around it are read: a link's text may be code.
  const marked = source.replace(/[\ue000\ue001]/g, '\ufffd').replace(WHOLE, (whole, code, alt, target, formula) => {
    if (code !== undefined) kept.push(`<code>${escapeHtml(code.replace(/^`+|`+$/g, '').trim())}</code>`);
    else if (formula !== undefined) kept.push(`<code class="tb-math">${escapeHtml(formula)}</code>`);
    else if (PICTURE.test(whole)) kept.push(pictureOf(target, alt));
    else kept.push(o.picture?.(decoded(target), alt) ?? `<em>${escapeHtml(alt)}</em>`);
    return `\ue000${kept.length - 1}\ue001`;
  });
  return spans(marked).replace(/\ue000(\d+)\ue001/g, (_, place: string) => kept[Number(place)] ?? '');
}

function pictureOf(data: string, alt: string): string {
  return `<img class="tb-picture" alt="${escapeHtml(alt)}" src="${data}">`;
}

function spans(source: string): string {
  return escapeHtml(source)
    .replace(/\[([^[\]\n]+)\]\(([^()\s\ue000]+)(?:\s+&quot;[^\n()]*&quot;)?\)/g, (_, text: string, target: string) => {
      if (/^(https?:\/\/|mailto:)/.test(target)) return `<a href="${target}" rel="noopener noreferrer">${text}</a>`;
      // A file beside the notebook is not beside the page.
      return target.startsWith('#') ? `<a href="#${anchor(decoded(target.slice(1)))}">${text}</a>` : text;
    })
    .replace(/\*\*(?=\S)([^*\n]+?)\*\*|__(?=\S)([^_\n]+?)__/g, (_, a?: string, b?: string) => `<strong>${a ?? b}</strong>`)
    .replace(/\*(?=\S)([^*\n]+?)\*|(?<![\w])_(?=\S)([^_\n]+?)_(?![\w])/g, (_, a?: string, b?: string) => `<em>${a ?? b}</em>`)
    .replace(/ {2,}\n/g, '<br>\n');
}

/** The name of a heading, of letters and numbers alone; a prefix keeps it apart from every other name of the page. */
function anchor(text: string): string {
  return `to-${text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-')}`;
}

function decoded(target: string): string {
  try {
    return decodeURIComponent(target);
  } catch {
    return target;
  }
}
