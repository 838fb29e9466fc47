import { textWidth } from './text.js';

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
  /** Where the line from the point to a name farther off ends. */
  line?: { dx: number; dy: number };
}

/** Half of a point's width, half the height of a letter of size 11, in pixels. */
const [POINT, LINE] = [5, 6];

const BESIDE: readonly Place[] = [
  { align: 'left', dx: 9, dy: 0 },
  { align: 'right', dx: -9, dy: 0 },
  { align: 'center', dx: 0, dy: -13 },
  { align: 'center', dx: 0, dy: 13 },
  { align: 'left', dx: 6, dy: -12 },
  { align: 'right', dx: -6, dy: -12 },
  { align: 'left', dx: 6, dy: 12 },
  { align: 'right', dx: -6, dy: 12 },
];
/** Places farther off, in rings: a thin line leads to them. */
const FARTHER: readonly Place[] = [24, 38, 52, 68, 86, 106].flatMap(away =>
  [-1, 1].flatMap(side => [
    far('center', 0, side * away),
    far('left', away * 0.6, side * away * 0.8),
    far('right', -away * 0.6, side * away * 0.8),
    far('left', away * 0.95, side * away * 0.3),
    far('right', -away * 0.95, side * away * 0.3),
  ]),
);
const PLACES: readonly Place[] = [...BESIDE, ...FARTHER];

function far(align: Place['align'], dx: number, dy: number): Place {
  const gap = 2;
  const line = align === 'center' ? { dx, dy: dy - Math.sign(dy) * (LINE + 1) } : { dx: dx - Math.sign(dx) * gap, dy };
  return { align, dx: round(dx), dy: round(dy), line: { dx: round(line.dx), dy: round(line.dy) } };
}

/** Lines crossed that are as bad as a name farther off (what is best depends on the points: all are tried), and what each ring costs. */
const [LEADER, RING] = [[1.5, 1.2, 0.9, 0.6], 0.15];
/** Lines crossed that are as bad as a point without a name. */
const NAMELESS = 3;

/**
 * The place of each name: right of its point, left, above, below, at a corner or farther off, where it covers no point and no other name
 * and crosses as few `lines` as can be; undefined for a name that finds none. Names that come first choose first; only the first `names`
 * are placed.
 */
export function namePlaces(
  points: readonly Named[],
  lines: readonly Box[],
  size: { width: number; height: number; names: number },
): (Place | undefined)[] {
  const tried = LEADER.map(leader => placed(points, lines, size, leader));
  return tried.reduce((best, other) => (other.cost < best.cost ? other : best)).places;
}

function placed(
  points: readonly Named[],
  lines: readonly Box[],
  { width, height, names }: { width: number; height: number; names: number },
  costOfLeader: number,
): { places: (Place | undefined)[]; cost: number } {
  const taken: Box[] = points.map(({ x, y }) => ({ left: x - POINT, right: x + POINT, top: y - POINT, bottom: y + POINT }));
  const leaders: Segment[] = [];
  let cost = 0;
  const places = points.slice(0, names).map(({ name, x, y }, own) => {
    const long = textWidth(name, 11);
    let best: { place: Place; box: Box; crossed: number; cost: number; leader?: Segment } | undefined;
    for (const [rank, place] of PLACES.entries()) {
      const least = place.line ? costOfLeader + RING * Math.floor((rank - BESIDE.length) / 10) : 0;
      // What follows only costs more.
      if (best && best.cost <= least) break;
      const left = x + place.dx - (place.align === 'left' ? 0 : place.align === 'right' ? long : long / 2);
      const box = { left, right: left + long, top: y + place.dy - LINE, bottom: y + place.dy + LINE };
      if (box.left < 0 || box.right > width || box.top < 0 || box.bottom > height) continue;
      if (taken.some((other, i) => i !== own && overlap(box, other))) continue;
      const leader = place.line && { x1: x, y1: y, x2: x + place.line.dx, y2: y + place.line.dy };
      if (leader && taken.slice(points.length).some(other => meets(leader, other))) continue;
      const crossed =
        lines.filter(line => overlap(box, line)).length +
        leaders.filter(line => meets(line, box)).length +
        (leader ? leaders.filter(line => cross(leader, line)).length : 0) +
        // A line through another point would seem to lead from there, unless it only begins among points that lie on one another.
        (leader
          ? taken.slice(0, points.length).filter((other, i) => i !== own && !holds(other, x, y) && meets(leader, other)).length
          : 0);
      if (!best || least + crossed < best.cost)
        best = { place, box, crossed, cost: least + crossed, ...(leader ? { leader } : {}) };
    }
    cost += best?.crossed ?? NAMELESS;
    if (!best) return undefined;
    taken.push(best.box);
    if (best.leader) leaders.push(best.leader);
    return best.place;
  });
  return { places, cost };
}

interface Segment {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

function round(pixels: number): number {
  return Math.round(10 * pixels) / 10;
}

function overlap(a: Box, b: Box): boolean {
  return a.left <= b.right && a.right >= b.left && a.top <= b.bottom && a.bottom >= b.top;
}

function holds({ left, right, top, bottom }: Box, x: number, y: number): boolean {
  return left <= x && x <= right && top <= y && y <= bottom;
}

/** Whether a segment runs through a box (Liang & Barsky 1984). */
function meets({ x1, y1, x2, y2 }: Segment, { left, right, top, bottom }: Box): boolean {
  let [from, to] = [0, 1];
  for (const [step, room] of [
    [x1 - x2, x1 - left],
    [x2 - x1, right - x1],
    [y1 - y2, y1 - top],
    [y2 - y1, bottom - y1],
  ] as const) {
    if (step === 0) {
      if (room < 0) return false;
    } else if (step < 0) from = Math.max(from, room / step);
    else to = Math.min(to, room / step);
  }
  return from <= to;
}

/** Whether two segments cross. */
function cross(a: Segment, b: Segment): boolean {
  const side = (s: Segment, x: number, y: number) => Math.sign((s.x2 - s.x1) * (y - s.y1) - (s.y2 - s.y1) * (x - s.x1));
  return side(a, b.x1, b.y1) * side(a, b.x2, b.y2) < 0 && side(b, a.x1, a.y1) * side(b, a.x2, a.y2) < 0;
}
