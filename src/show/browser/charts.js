// Brings the charts of an exported page to life: each stands there as a picture, with its Vega specification as JSON beside it. When
// it comes into view vega draws it anew, with tooltips, legends that filter, brushes and menus. The script is the same for every page:
// nothing of the data is ever run, expressions are evaluated by interpreter.js, and nothing is loaded.
//
// Written into the page as it is, after vega (global `vega`) and interpreter.js (global function `interpreter`).

/** Titles and texts of a tooltip at most, in characters. */
const TIP = 300;

function start() {
  const loader = {
    load: () => Promise.reject(new Error('charts load nothing')),
    sanitize: () => Promise.reject(new Error('charts lead nowhere')),
    http: () => Promise.reject(new Error('charts load nothing')),
    file: () => Promise.reject(new Error('charts load nothing')),
  };
  const expr = interpreter(vega);
  const tip = makeTip();
  const draw = holder => {
    const json = holder.querySelector('script[type="application/json"]');
    const picture = holder.querySelector('.tb-chart-picture');
    const container = document.createElement('div');
    const menus = document.createElement('div');
    menus.className = 'tb-chart-menus';
    const view = new vega.View(vega.parse(JSON.parse(json.textContent), undefined, { ast: true }), {
      renderer: 'svg',
      expr,
      loader,
      hover: true,
      logger: vega.logger(vega.None),
      tooltip: tip,
    });
    view.initialize(container, menus);
    return view.runAsync().then(() => {
      // Only a chart that came to its end takes the place of its picture.
      picture.replaceWith(container, menus);
      holder.dataset.live = 'yes';
    });
  };
  const seen = new IntersectionObserver(
    entries => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        // The picture stays where a chart cannot be drawn.
        Promise.resolve(entry.target)
          .then(draw)
          .catch(() => {
            entry.target.dataset.live = 'no';
          });
      }
    },
    { rootMargin: '300px' },
  );
  for (const holder of document.querySelectorAll('.tb-chart[data-chart]')) seen.observe(holder);
}

/** Vega's tooltip as rows of plain text beside the pointer. */
function makeTip() {
  const box = document.createElement('div');
  box.className = 'tb-tip';
  box.setAttribute('role', 'tooltip');
  box.hidden = true;
  document.body.append(box);
  const short = text => (text.length > TIP ? `${text.slice(0, TIP)}…` : text);
  return (_, event, __, value) => {
    box.hidden = value === null || value === undefined || value === '';
    if (box.hidden) return;
    const rows = typeof value === 'object' ? Object.entries(value) : [['', value]];
    box.replaceChildren(
      ...rows.slice(0, 24).map(([name, text]) => {
        const row = document.createElement('div');
        const title = document.createElement('b');
        title.textContent = short(name);
        row.append(title, ` ${short(String(text))}`);
        return row;
      }),
    );
    const { innerWidth, innerHeight } = window;
    box.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - box.offsetHeight - 8))}px`;
  };
}

start();
