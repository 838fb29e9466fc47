/** A point with a name, in pixels from the upper left corner of the plot. */
export interface Named {
  name: string;
  x: number;
  y: number;
}

export interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Where a name stands beside its point, as vega's text marks say it. */
export interface Place {
  align: 'left' | 'right' | 'center';
  dx: number;
  dy: number;
}

const PLACES: readonly Place[] = [
  { align: 'left', dx: 9, dy: 0 },
  { align: 'right', dx: -9, dy: 0 },
  { align: 'center', dx: 0, dy: -13 },
  { align: 'center', dx: 0, dy: 13 },
  { align: 'left', dx: 6, dy: -12 },
  { align: 'right', dx: -6, dy: -12 },
  { align: 'left', dx: 6, dy: 12 },
  { align: 'right', dx: -6, dy: 12 },
];

/** Half of a point's width, and mean width and half the height of a letter of size 11, in pixels. */
const [POINT, LETTER, LINE] = [5, 5.8, 6];

/**
 * The place of each name: right of its point, left, above, below or at a corner, where it covers no point and no other name and crosses as few
 * `lines` as can be; undefined for a name that finds none. Names that come first choose first; only the first `names` are placed.
 */
export function namePlaces(
  points: readonly Named[],
  lines: readonly Box[],
  { width, height, names }: { width: number; height: number; names: number },
): (Place | undefined)[] {
  const taken: Box[] = points.map(({ x, y }) => ({ left: x - POINT, right: x + POINT, top: y - POINT, bottom: y + POINT }));
  return points.slice(0, names).map(({ name, x, y }, own) => {
    const long = name.length * LETTER;
    let best: { place: Place; box: Box; crossed: number } | undefined;
    for (const place of PLACES) {
      const left = x + place.dx - (place.align === 'left' ? 0 : place.align === 'right' ? long : long / 2);
      const box = { left, right: left + long, top: y + place.dy - LINE, bottom: y + place.dy + LINE };
      if (box.left < 0 || box.right > width || box.top < 0 || box.bottom > height) continue;
      if (taken.some((other, i) => i !== own && overlap(box, other))) continue;
      const crossed = lines.filter(line => overlap(box, line)).length;
      if (!best || crossed < best.crossed) best = { place, box, crossed };
    }
    if (best) taken.push(best.box);
    return best?.place;
  });
}

function overlap(a: Box, b: Box): boolean {
  return a.left <= b.right && a.right >= b.left && a.top <= b.bottom && a.bottom >= b.top;
}
