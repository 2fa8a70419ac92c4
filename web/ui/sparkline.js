// A small line of losses with the best baseline as a dashed line; lower is better.

import { h } from './dom.js';
import { figure } from './format.js';

const WIDTH = 240;
const HEIGHT = 48;
const EDGE = 3;

export function sparkline(values, baseline, name) {
  const points = values.filter(Number.isFinite);
  if (points.length < 2) return null;
  const low = Math.min(...points);
  const high = Math.max(...points);
  const near = [baseline].filter((b) =>
    Number.isFinite(b) && b > 2 * low - high && b < 2 * high - low);
  const bottom = Math.min(low, ...near);
  const span = Math.max(high, ...near) - bottom || 1;
  const y = (v) => (HEIGHT - EDGE - (v - bottom) / span * (HEIGHT - 2 * EDGE)).toFixed(1);
  const x = (i) => (EDGE + i / (points.length - 1) * (WIDTH - 2 * EDGE)).toFixed(1);
  const last = points.length - 1;
  const label = `${name}, oldest to newest stretch: from ${figure(points[0])} to ` +
    `${figure(points[last])}, lowest ${figure(low)}, highest ${figure(high)}`;
  return h('svg', {
    class: 'sparkline', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label,
    preserveAspectRatio: 'none',
  },
  near.map((b) => h('line', { class: 'dashed', x1: 0, x2: WIDTH, y1: y(b), y2: y(b) })),
  h('path', { d: points.map((v, i) => `${i ? 'L' : 'M'}${x(i)} ${y(v)}`).join('') }),
  h('circle', { cx: x(last), cy: y(points[last]), r: 2.5 }));
}
