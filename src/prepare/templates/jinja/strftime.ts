import { meter } from './meter.js';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** datetime.strftime in the C locale, of local time. Unknown directives stay as they are. */
export function strftime(date: Date, format: string): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const year = date.getFullYear();
  const hour = date.getHours();
  const weekday = date.getDay();
  const dayOfYear = Math.round((Date.UTC(year, date.getMonth(), date.getDate()) - Date.UTC(year, 0, 1)) / 86_400_000) + 1;
  const iso = isoWeek(date);
  const values: Record<string, () => string> = {
    Y: () => String(year),
    y: () => two(year % 100),
    C: () => two(Math.floor(year / 100)),
    m: () => two(date.getMonth() + 1),
    d: () => two(date.getDate()),
    e: () => String(date.getDate()).padStart(2),
    H: () => two(hour),
    k: () => String(hour).padStart(2),
    I: () => two(hour % 12 || 12),
    l: () => String(hour % 12 || 12).padStart(2),
    M: () => two(date.getMinutes()),
    S: () => two(date.getSeconds()),
    f: () => `${String(date.getMilliseconds()).padStart(3, '0')}000`,
    p: () => (hour < 12 ? 'AM' : 'PM'),
    P: () => (hour < 12 ? 'am' : 'pm'),
    A: () => DAYS[weekday]!,
    a: () => DAYS[weekday]!.slice(0, 3),
    B: () => MONTHS[date.getMonth()]!,
    b: () => MONTHS[date.getMonth()]!.slice(0, 3),
    h: () => MONTHS[date.getMonth()]!.slice(0, 3),
    j: () => String(dayOfYear).padStart(3, '0'),
    w: () => String(weekday),
    u: () => String(weekday || 7),
    U: () => two(Math.floor((dayOfYear + 6 - weekday) / 7)),
    W: () => two(Math.floor((dayOfYear + 6 - ((weekday + 6) % 7)) / 7)),
    V: () => two(iso.week),
    G: () => String(iso.year),
    g: () => two(iso.year % 100),
    s: () => String(Math.floor(date.getTime() / 1000)),
    // A datetime without a time zone has none to print.
    z: () => '',
    Z: () => '',
    n: () => '\n',
    t: () => '\t',
    '%': () => '%',
    c: () => strftime(date, '%a %b %e %H:%M:%S %Y'),
    x: () => strftime(date, '%m/%d/%y'),
    D: () => strftime(date, '%m/%d/%y'),
    X: () => strftime(date, '%H:%M:%S'),
    T: () => strftime(date, '%H:%M:%S'),
    F: () => strftime(date, '%Y-%m-%d'),
    R: () => strftime(date, '%H:%M'),
    r: () => strftime(date, '%I:%M:%S %p'),
  };
  meter().make(format.length * 24);
  return format.replace(/%([-_0^#]?)([a-zA-Z%])/g, (all, flag: string, directive: string) => {
    if (!Object.hasOwn(values, directive)) return all;
    const value = values[directive]!();
    if (flag === '-') return value.replace(/^[0 ]+(?=.)/, '');
    if (flag === '_') return value.replace(/^0+(?=.)/, zeros => ' '.repeat(zeros.length));
    if (flag === '0') return value.replace(/^ +/, spaces => '0'.repeat(spaces.length));
    return flag === '^' ? value.toUpperCase() : value;
  });
}

/** ISO 8601: weeks begin on Monday, and the first one holds the year's first Thursday. */
function isoWeek(date: Date): { year: number; week: number } {
  const thursday = new Date(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()));
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  const year = thursday.getUTCFullYear();
  return { year, week: Math.ceil(((thursday.getTime() - Date.UTC(year, 0, 1)) / 86_400_000 + 1) / 7) };
}
