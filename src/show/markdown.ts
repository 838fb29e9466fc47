import { escapeHtml, wellFormed } from './text.js';

/**
 * Markdown as notebooks use it – headings, lists, quotes, fenced code, tables, emphasis, code, links – as HTML. Everything
 * is escaped first, HTML in the source is shown as text, and links lead to http(s), mail or a place on the page only.
 */
export function markdown(source: string): string {
  return blocks(source, 0);
}

/** Lists and quotes within one another at most; a line or paragraph of more characters than this has no marks. */
const DEPTH = 20;
const LONGEST = 20_000;

function blocks(source: string, depth: number): string {
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
      out.push(`<p>${escapeHtml(line)}</p>`);
      continue;
    }
    const fence = /^\s*(```+|~~~+)/.exec(line)?.[1];
    const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (fence) {
      i++;
      const code = take(l => !l.trimStart().startsWith(fence));
      i++;
      out.push(`<pre><code>${escapeHtml(code.join('\n'))}</code></pre>`);
    } else if (heading) {
      i++;
      out.push(`<h${heading[1]!.length}>${inline(heading[2]!)}</h${heading[1]!.length}>`);
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
        )}</blockquote>`,
      );
    } else if (isTableHead(line, lines[i + 1])) {
      out.push(tableOf(take(l => l.includes('|') && l.trim() !== '')));
    } else if (ITEM.test(line)) {
      out.push(
        list(
          take(l => l.length <= LONGEST && (ITEM.test(l) || /^\s+\S/.test(l))),
          depth,
        ),
      );
    } else if (line.trim() === '') {
      i++;
    } else {
      const first = i++;
      take(l => l.trim() !== '' && !/^\s*(```|~~~|>|#{1,6}\s)/.test(l) && !ITEM.test(l));
      out.push(`<p>${inline(lines.slice(first, i).join('\n'))}</p>`);
    }
  }
  return out.join('\n');
}

const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;

function list(lines: string[], level: number): string {
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
    .map(({ text, inner }) => `<li>${inline(text)}${inner.length > 0 ? nested(inner, level + 1) : ''}</li>`)
    .join('');
  return ordered ? `<ol>${body}</ol>` : `<ul>${body}</ul>`;
}

function nested(lines: string[], level: number): string {
  if (level > DEPTH) return escapeHtml(lines.join('\n'));
  const first = lines.findIndex(l => ITEM.test(l));
  return first === 0 ? list(lines, level) : inline(lines.join('\n'));
}

function isTableHead(line: string, next: string | undefined): boolean {
  return line.includes('|') && next?.includes('-') === true && /^[\s|:-]+$/.test(next);
}

function tableOf(lines: string[]): string {
  const cells = (line: string) =>
    line
      .trim()
      .replace(/^\||\|$/g, '')
      .split('|')
      .map(c => inline(c.trim()));
  const row = (line: string, tag: string) =>
    `<tr>${cells(line)
      .map(c => `<${tag}>${c}</${tag}>`)
      .join('')}</tr>`;
  return `<table><thead>${row(lines[0]!, 'th')}</thead><tbody>${lines
    .slice(2)
    .map(l => row(l, 'td'))
    .join('')}</tbody></table>`;
}

/** Spans of one block. Code is taken out first, so that nothing inside it is read as markup. */
function inline(source: string): string {
  if (source.length > LONGEST) return escapeHtml(source);
  return source
    .split(/(`+[^`]+`+)/)
    .map((part, i) => (i % 2 === 1 ? `<code>${escapeHtml(part.replace(/^`+|`+$/g, '').trim())}</code>` : spans(part)))
    .join('');
}

function spans(source: string): string {
  return escapeHtml(source)
    .replace(/!\[([^[\]\n]*)\]\([^()\s]*\)/g, '<em>$1</em>')
    .replace(/\[([^[\]\n]+)\]\(([^()\s]+)\)/g, (whole, text: string, target: string) =>
      /^(https?:\/\/|mailto:|#)/.test(target) ? `<a href="${target}" rel="noopener noreferrer">${text}</a>` : whole,
    )
    .replace(/\*\*(?=\S)([^*\n]+?)\*\*|__(?=\S)([^_\n]+?)__/g, (_, a?: string, b?: string) => `<strong>${a ?? b}</strong>`)
    .replace(/\*(?=\S)([^*\n]+?)\*|(?<![\w])_(?=\S)([^_\n]+?)_(?![\w])/g, (_, a?: string, b?: string) => `<em>${a ?? b}</em>`)
    .replace(/ {2,}\n/g, '<br>\n');
}
