// Line charts by dygraphs, drawn on a canvas with the page's own colours. dygraphs is fetched when
// the first chart is shown; where it can't be, the table beside the chart still says everything.
//
//   const c = chart(holder, {label, x, y, series: [{name, color, dotted?}], format});
//   c.show(rows)     rows: [x, v, v, …]; a value may be [low, mid, high]: a band

import { h } from './dom.js';
import { count } from './format.js';

let library = null;
const drawn = new Set();

function dygraphs() {
  library ??= new Promise((done, failed) => {
    document.head.append(Object.assign(document.createElement('script'), {
      src: '/ui/dygraphs.js',
      onload: () => done(withoutLegend(self.Dygraph)),
      onerror: () => {
        library = null;
        failed(new Error('The chart library did not load.'));
      },
    }));
  });
  return library;
}

/// Its own legend sets style attributes, which the CSP refuses.
function withoutLegend(Dygraph) {
  Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);
  return Dygraph;
}

const color = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/// The frame of a chart; to be filled by chart(). A patch leaves what is inside alone.
export function chartFrame(key, label) {
  return h('div', { class: 'chart', key, keep: true, role: 'img', 'aria-label': label });
}

export function chart(frame, spec) {
  frame._chart ??= make(frame, spec);
  return frame._chart;
}

function make(frame, spec) {
  const readout = h('p', { class: 'readout', 'aria-hidden': 'true' });
  const canvas = h('div', { class: 'canvas' });
  frame.replaceChildren(legend(spec, readout), canvas);
  let graph = null;
  let rows = [];
  const say = (i) => {
    const row = rows[i];
    readout.textContent = row ? [`${spec.x} ${count(row[0])}`, ...spec.series.map((s, k) =>
      `${s.name} ${said(row[k + 1], spec.format)}`)].join(' · ') : '';
  };
  const draw = async () => {
    try {
      const Dygraph = await dygraphs();
      if (!frame.isConnected || rows.length === 0) return;
      if (graph) graph.updateOptions(options(spec, rows, say));
      else graph = new Dygraph(canvas, rows, options(spec, rows, say));
    } catch (error) {
      canvas.textContent = `${error.message} The figures are in the table below.`;
    }
  };
  const self = {
    frame,
    show(given) {
      rows = given;
      say(-1);
      draw();
    },
    redraw: draw,
    end() {
      observer.disconnect();
      graph?.destroy();
      graph = null;
    },
  };
  const observer = new ResizeObserver(() => graph?.resize());
  observer.observe(canvas);
  for (const old of drawn) {
    if (old.frame.isConnected) continue;
    old.end();
    drawn.delete(old);
  }
  drawn.add(self);
  return self;
}

function said(value, format) {
  if (!Array.isArray(value)) return format(value);
  const [low, mid, high] = value;
  return low === high ? format(mid) : `${format(mid)} (${format(low)} to ${format(high)})`;
}

function legend(spec, readout) {
  return h('div', { class: 'legend', 'aria-hidden': 'true' },
    spec.series.map((s) => h('span', null,
      h('span', { class: `line-${s.color}${s.dotted ? ' dotted' : ''}` }), s.name)), readout);
}

function options(spec, rows, say) {
  const axis = { axisLabelFontSize: 11, axisLabelWidth: 56, axisLabelColor: color('muted') };
  const series = {};
  for (const s of spec.series) {
    series[s.name] = {
      color: color(s.color), strokeWidth: s.dotted ? 1.5 : 2,
      ...(s.dotted && { strokePattern: [2, 4] }),
    };
  }
  return {
    file: rows,
    labels: [spec.x, ...spec.series.map((s) => s.name)],
    customBars: Array.isArray(rows[0]?.[1]),
    series,
    fillAlpha: 0.16,
    interactionModel: {},       // touch scrolls the page
    gridLineColor: color('line'),
    gridLineWidth: 1,
    axisLineColor: color('line'),
    highlightCircleSize: 3,
    connectSeparatedPoints: false,
    drawPoints: rows.length === 1,
    includeZero: false,
    valueRange: range(rows),
    rightGap: 12,
    axes: {
      x: { ...axis, drawGrid: false, axisLabelFormatter: (x) => count(x), pixelsPerLabel: 60 },
      y: { ...axis, axisLabelFormatter: (y) => spec.format(y), pixelsPerLabel: 28 },
    },
    highlightCallback: (_event, _x, _points, row) => say(row),
    unhighlightCallback: () => say(-1),
  };
}

/// Room for every line; of the bands, which start wide, only for the second half.
function range(rows) {
  const values = rows.flatMap((row, i) => row.slice(1).flatMap((v) =>
    !Array.isArray(v) ? [v] : i * 2 >= rows.length ? v : [v[1]]))
    .filter((v) => Number.isFinite(v));
  values.push(0);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = (high - low || 1) * 0.08;
  return [low - room, high + room];
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const one of drawn) one.redraw();
});
