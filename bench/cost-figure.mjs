const TITLES = {
  length: 'tokens of a row',
  batch: 'rows of a batch',
  layers: 'layers',
  vocabulary: 'vocabulary',
};

/**
 * What a step costs against each axis, one panel an axis, one line a side: the parts of a figure for `show.figure`. Both scales are
 * logarithmic, so that cost in proportion to the size is a straight line and an equal ratio of two sides is an equal distance.
 */
export function costFigure(report, sides, palette) {
  const axes = Object.keys(TITLES).filter(axis => report.points.some(point => point.axes.includes(axis)));
  const colors = [palette.blue, palette.vermillion, palette.green].slice(0, sides.length);
  const values = axis =>
    report.points
      .filter(point => point.axes.includes(axis))
      .flatMap(point => sides.map(side => ({ size: point[axis], side, ms: point[side].ms, peakMB: point[side].peakMB })));
  const all = report.points.flatMap(point => sides.map(side => point[side].ms));
  const panel = axis => {
    const rows = values(axis);
    const sizes = [...new Set(rows.map(row => row.size))].sort((a, b) => a - b);
    return {
      width: 250,
      height: 170,
      data: { values: rows },
      mark: { type: 'line', point: { filled: true, size: 36 }, strokeWidth: 2, tooltip: true },
      encoding: {
        x: {
          field: 'size',
          type: 'quantitative',
          scale: { type: 'log', base: 2, domain: [sizes[0], sizes.at(-1)], nice: false },
          axis: { title: TITLES[axis], values: sizes, format: ',d', grid: false },
        },
        y: {
          field: 'ms',
          type: 'quantitative',
          scale: { type: 'log', domain: [Math.min(...all) * 0.9, Math.max(...all) * 1.1], nice: false },
          axis: { title: 'ms a step', tickCount: 4, format: '~s' },
        },
        color: { field: 'side', type: 'nominal', scale: { domain: sides, range: colors }, legend: { title: null } },
      },
    };
  };
  const base = report.points.find(point => axes.every(axis => point.axes.includes(axis)));
  const subtitle = `Median of ${report.steps} steps; while one size changes the others stay at ${axes.map(axis => `${TITLES[axis]} ${base[axis].toLocaleString('en')}`).join(', ')}`;
  const alt = `${axes
    .map(axis => {
      const on = report.points.filter(point => point.axes.includes(axis)).sort((a, b) => a[axis] - b[axis]);
      const from = side => `${side} ${on[0][side].ms.toFixed(0)} to ${on.at(-1)[side].ms.toFixed(0)} ms`;
      return `${TITLES[axis]} ${on[0][axis]} to ${on.at(-1)[axis]}: ${sides.map(from).join(', ')}`;
    })
    .join('. ')}.`;
  const title = 'What a training step costs';
  const rows = [];
  for (let i = 0; i < axes.length; i += 2) rows.push({ hconcat: axes.slice(i, i + 2).map(panel), spacing: 24 });
  return {
    kind: 'benchCost',
    title,
    alt,
    text: `${title}\n${alt}`,
    spec: {
      $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
      title: { text: title, subtitle, anchor: 'start', offset: 12 },
      description: `${title}. ${alt}`,
      vconcat: rows,
      spacing: 20,
      config: { legend: { orient: 'top', direction: 'horizontal' }, view: { stroke: null } },
    },
  };
}
