import type { Report } from './report.js';

/** What a report says, in words: what was gained, what was lost, and what goes with it. */
export function reportSentences(report: Pick<Report, 'gained' | 'lost' | 'klOnTasks' | 'klOnText' | 'drift' | 'cka'>): string[] {
  const { gained, lost, klOnTasks, klOnText, drift, cka } = report;
  const percent = (share: number) => `${(100 * share).toFixed(0)}\u00a0%`;
  const scores = gained.filter(({ unit }) => unit === 'share');
  const mean = (key: 'before' | 'after') => scores.reduce((sum, row) => sum + row[key] / scores.length, 0);
  const [text, facts] = lost;
  const sentences = [
    `Gained: right answers go from ${percent(mean('before'))} to ${percent(mean('after'))}${scores.length > 1 ? ` (mean of ${scores.length} sets)` : ''}.`,
    `Lost: the loss on base text goes from ${text!.before.toFixed(2)} to ${text!.after.toFixed(2)} nats per token` +
      `${facts ? `, facts recalled from ${percent(facts.before)} to ${percent(facts.after)}` : ''}.`,
    `From what the base would say the model is ${klOnTasks.kl.toFixed(2)} nats per token away on new tasks, ${klOnText.kl.toFixed(2)} on base text.`,
  ];
  const moved = drift?.filter(row => Number.isFinite(row.drift)) ?? [];
  if (moved.length > 0) {
    const most = moved.reduce((a, b) => (b.drift > a.drift ? b : a));
    const ranked = moved.filter(({ rank }) => rank !== undefined);
    const shares = ranked.map(({ rank, shape }) => rank! / Math.min(...shape)).sort((a, b) => a - b);
    sentences.push(
      `Its weights moved by ${percent(median(moved.map(row => row.drift)))} of their length in the median, most ${most.name} (${percent(most.drift)})` +
        `${shares.length > 0 ? `; the change of a matrix has in the median ${percent(median(shares))} of the directions it could have` : ''}.`,
    );
  }
  const layers = cka?.filter(row => Number.isFinite(row.cka)) ?? [];
  if (layers.length > 0) {
    const least = layers.reduce((a, b) => (b.cka < a.cka ? b : a));
    const where = least.layer === 0 ? 'in the embeddings' : `after layer ${least.layer}`;
    sentences.push(`Hidden states on base text are least like the base's ${where} (CKA ${least.cka.toFixed(2)}).`);
  }
  return sentences;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
