import { escapeHtml } from './text.js';

const STRING = String.raw`"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'`;

const TYPESCRIPT = pattern(
  String.raw`\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)`,
  `${STRING}|${'`(?:\\\\[\\s\\S]|[^`\\\\])*`'}`,
  'abstract|as|async|await|break|case|catch|class|const|continue|default|delete|do|else|enum|export|extends|false|finally|for|from|function|if|implements|import|in|instanceof|interface|let|new|null|of|private|readonly|return|satisfies|static|super|switch|this|throw|true|try|type|typeof|undefined|using|var|void|while|yield',
);
const PYTHON = pattern(
  String.raw`#[^\n]*`,
  String.raw`"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|${STRING}`,
  'False|None|True|and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield',
);

function pattern(comment: string, text: string, words: string): RegExp {
  return new RegExp(String.raw`(${comment})|(${text})|\b(${words})\b|\b(\d[\w.]*)`, 'g');
}

/** Code with comments, strings, keywords and numbers marked, enough to read by. Of languages other than TypeScript and Python: as it is. */
export function highlight(source: string, language: string): string {
  const code = /^(typescript|javascript|)$/.test(language) ? TYPESCRIPT : /python/.test(language) ? PYTHON : undefined;
  if (!code) return escapeHtml(source);
  let at = 0;
  let out = '';
  for (const m of source.matchAll(code)) {
    const kind = m[1] ? 'c' : m[2] ? 's' : m[3] ? 'k' : 'n';
    out += `${escapeHtml(source.slice(at, m.index))}<span class="tb-${kind}">${escapeHtml(m[0])}</span>`;
    at = m.index + m[0].length;
  }
  return out + escapeHtml(source.slice(at));
}
