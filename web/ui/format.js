// Figures and times as text. Numbers in English notation, times in UTC; unknown is an en dash.

import { h } from './dom.js';

export const UNKNOWN = '–';
const counts = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

const known = (x) => typeof x === 'number' && Number.isFinite(x);

/// 12,345
export function count(n) {
  return known(n) ? counts.format(n) : UNKNOWN;
}

/// '1 row', '12,345 rows'
export function plural(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/// A loss or metric: four decimals, more where it is small, fewer where it is large.
export function figure(x) {
  if (!known(x)) return UNKNOWN;
  const size = Math.abs(x);
  if (size === 0) return '0';
  if (size >= 1e6 || size < 1e-5) return x.toExponential(2).replaceAll('-', '−');
  const digits = size >= 100 ? 1 : size >= 10 ? 2 : size < 0.001 ? 5 : 4;
  return counted(x, digits);
}

function counted(x, digits) {
  const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat('en', format).format(x).replace('-', '−');
}

/// With its sign: +0.0123, −0.0040.
export function difference(x) {
  return known(x) && x > 0 ? `+${figure(x)}` : figure(x);
}

/// Two decimals: evidence, inflation, rates.
export function short(x) {
  return known(x) ? counted(x, 2) : UNKNOWN;
}

/// 512 bytes, 1.2 GB
export function bytes(n) {
  if (!known(n)) return UNKNOWN;
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const unit = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, n)) / 3));
  return `${unit === 0 ? count(n) : counted(n / 1000 ** unit, 1)} ${units[unit]}`;
}

export function percent(x) {
  return known(x) ? `${counted(100 * x, 1)}%` : UNKNOWN;
}

/// 1,840/s or 0.25/s
export function rate(x) {
  if (!known(x)) return UNKNOWN;
  return `${x >= 10 || x === 0 ? count(x) : counted(x, 2)}/s`;
}

/// 2024-01-12 22:55:01 UTC as a <time>; short: without seconds and zone.
export function time(text, brief = false) {
  const date = new Date(text ?? NaN);
  if (Number.isNaN(date.getTime())) return UNKNOWN;
  const iso = date.toISOString();
  const shown = iso.slice(0, brief ? 16 : 19).replace('T', ' ');
  return h('time', { datetime: iso, title: `${iso} (event time)` }, brief ? shown : `${shown} UTC`);
}

/// How long from one time to another: '3 d 4 h', '12 min', '40 s'.
export function duration(from, to) {
  const seconds = (new Date(to ?? NaN) - new Date(from ?? NaN)) / 1000;
  if (!Number.isFinite(seconds) || seconds < 0) return UNKNOWN;
  const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return '0 s';
  const [unit, size] = units[first];
  const whole = Math.floor(seconds / size);
  const next = units[first + 1];
  const rest = next ? Math.floor((seconds - whole * size) / next[1]) : 0;
  return `${whole} ${unit}${first < 2 && rest ? ` ${rest} ${next[0]}` : ''}`;
}

/// A metric's name as people write it.
export function metric(name) {
  const names = { auc: 'AUC', pr_auc: 'PR-AUC', ece: 'ECE', mae: 'MAE', rmse: 'RMSE', r2: 'R²',
    f1: 'F1', macro_f1: 'macro-F1', log_loss: 'log-loss', brier: 'Brier' };
  return names[name] ?? String(name ?? 'loss').replaceAll('_', ' ');
}

/// Capitalised at its first letter only.
export function sentence(text) {
  const s = String(text ?? '');
  return s.charAt(0).toUpperCase() + s.slice(1);
}
