import type { BackendStatus } from '../base/backend/index.js';

/** One line of doctor's table. */
export interface Finding {
  name: string;
  /** 'optional' marks what is missing but not needed. */
  state: 'ok' | 'missing' | 'optional';
  found: string;
  remedy?: string;
}

const MARKS = { ok: 'works', missing: 'missing', optional: 'no' } as const;

/** Findings as aligned text; remedies on a line of their own. */
export function findingsTable(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const mark = Math.max(...findings.map(({ state }) => MARKS[state].length));
  return findings
    .map(({ name, state, found, remedy }) => {
      const line = `${name.padEnd(width)}  ${MARKS[state].padEnd(mark)}  ${found}\n`;
      return remedy ? `${line}${' '.repeat(width + mark + 4)}→ ${remedy}\n` : line;
    })
    .join('');
}

/** Backends as findings: all but wasm are optional, since wasm is what every machine must have. */
export function backendFindings(table: readonly BackendStatus[]): Finding[] {
  return table.map(({ name, works, reason, remedy, version, details }) => ({
    name: `backend ${name}`,
    state: works ? 'ok' : name === 'wasm' ? 'missing' : 'optional',
    found: [[version, reason].filter(Boolean).join(': '), ...details].join('; '),
    remedy,
  }));
}

/** The probe table of backends as aligned text. */
export function statusTable(table: readonly BackendStatus[]): string {
  return findingsTable(backendFindings(table));
}
