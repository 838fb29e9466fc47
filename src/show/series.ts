/** Series of numbers, prepared for a chart that a person looks at. */

/**
 * Indices of at most `limit` points that keep the shape of a curve: Largest Triangle Three Buckets (Steinarsson 2013).
 * The first and the last point are always among them. Time O(n).
 *
 * @param x ascending positions, @param y values, all finite.
 */
export function lttb(x: ArrayLike<number>, y: ArrayLike<number>, limit: number): number[] {
  const n = x.length;
  if (n <= limit || limit < 3) return Array.from({ length: Math.min(n, Math.max(limit, 0)) }, (_, i) => i);
  const picked = [0];
  const width = (n - 2) / (limit - 2);
  const edge = (bucket: number) => 1 + Math.floor(bucket * width);
  let last = 0;
  for (let bucket = 0; bucket < limit - 2; bucket++) {
    const start = edge(bucket);
    const end = Math.max(start + 1, edge(bucket + 1));
    // The third corner is the mean of the next bucket (the last point, for the last bucket).
    const nextEnd = Math.min(n, Math.max(end + 1, edge(bucket + 2)));
    let meanX = 0;
    let meanY = 0;
    for (let i = end; i < nextEnd; i++) {
      meanX += x[i]! / (nextEnd - end);
      meanY += y[i]! / (nextEnd - end);
    }
    let best = start;
    let largest = -1;
    for (let i = start; i < end; i++) {
      const area = Math.abs((x[last]! - meanX) * (y[i]! - y[last]!) - (x[last]! - x[i]!) * (meanY - y[last]!));
      if (area > largest) {
        largest = area;
        best = i;
      }
    }
    picked.push(best);
    last = best;
  }
  picked.push(n - 1);
  return picked;
}

/**
 * Mean over a centred window of about `span` values, taken twice (so that the window has the shape of a tent). It does not
 * lag behind the values as an exponential average does; at the ends the window is cut off. A span of 1 changes nothing.
 */
export function smoothed(values: ArrayLike<number>, span: number): number[] {
  const half = Math.round((span - 1) / 4);
  return half < 1 ? Array.from(values) : centredMean(centredMean(values, half), half);
}

function centredMean(values: ArrayLike<number>, half: number): number[] {
  const n = values.length;
  const sums = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) sums[i + 1] = sums[i]! + values[i]!;
  return Array.from({ length: n }, (_, i) => {
    const from = Math.max(0, i - half);
    const to = Math.min(n, i + half + 1);
    return (sums[to]! - sums[from]!) / (to - from);
  });
}
