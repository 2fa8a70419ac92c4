// Candidate against champion: the verdict or where it stands, the difference with its band, the
// evidence growing towards its threshold, and every figure as text.

import { get, of, query } from './api.js';
import { chart, chartFrame } from './chart.js';
import { h, table, tiles } from './dom.js';
import { count, difference, figure, metric, plural, short, time, UNKNOWN } from './format.js';
import { openDialog } from './dialog.js';
import { expected, standing, VERDICTS } from './words.js';

export const title = 'Comparison';

export async function load({ pipeline, item }, signal) {
  const [list, wanted, requests] = await Promise.all([
    get(of(pipeline, 'evaluations') + query({ limit: 200 }), signal),
    item && get(of(pipeline, 'evaluations', item), signal),
    get(of(pipeline, 'decisions') + query({ kind: 'approval_requested', limit: 20 }), signal),
  ]);
  const items = list.items;
  const evaluation = wanted || mostWorthSeeing(items);
  if (wanted && !items.some((e) => e.evaluation === wanted.evaluation)) items.push(wanted);
  const series = evaluation &&
    await get(of(pipeline, 'evaluations', evaluation.evaluation, 'series'), signal);
  return { items, evaluation, points: series?.points ?? [], requests: requests.items };
}

/// Of those under way the one with the most rows, else the newest.
function mostWorthSeeing(items) {
  const rows = (e) => e.figures?.counted_rows ?? 0;
  return items.filter((e) => e.status === 'running').sort((a, b) => rows(b) - rows(a))[0] ??
    items[0] ?? null;
}

export function draw(data, context) {
  const { evaluation: e, points } = data;
  if (!e) return nothing(context.pipeline);
  return [
    h('div', { class: 'title' }, h('h1', null, 'Comparison'), picker(data, context)),
    lastVerdict(data, context),
    verdict(data, context),
    figures(e),
    differenceChart(e, points),
    evidenceChart(e, points),
    conditions(e),
  ];
}

export function drawn(main, { evaluation: e, points }) {
  const frames = main.querySelectorAll('.chart');
  if (!e || frames.length < 2) return;
  chart(frames[0], {
    x: 'rows', format: figure,
    series: [{ name: 'difference', color: 'accent' },
      { name: 'margin', color: 'muted', dotted: true }],
  }).show(points.map((p) => [p.rows, band(p), flat(e.policy?.margin ?? 0)]));
  chart(frames[1], {
    x: 'rows', format: short,
    series: [{ name: 'log evidence', color: 'accent' },
      { name: 'threshold', color: 'muted', dotted: true }],
  }).show(points.map((p) => [p.rows, p.log_evidence, p.log_threshold]));
}

const flat = (v) => [v, v, v];
const band = ({ mean_difference: d, interval_low: low, interval_high: high }) =>
  Number.isFinite(low) && Number.isFinite(high) ? [low, d, high] : flat(d);

function nothing(pipeline) {
  const warming = pipeline.status === 'warming_up';
  return [h('h1', null, 'Comparison'), h('section', { class: 'empty' },
    h('p', null, 'Nothing has been evaluated yet.'),
    h('p', null, warming
      ? 'The first evaluation starts once there is a champion to compare with: ' +
        `${plural(pipeline.missing_rows, 'row')} missing.`
      : 'A challenger is compared once it has warmed up, a frozen candidate at a trigger.'))];
}

function picker({ items, evaluation }, { pipeline }) {
  const go = (event) => {
    location.hash = `#/${encodeURIComponent(pipeline.pipeline)}/comparison/${event.target.value}`;
  };
  return h('label', { class: 'field row' }, h('span', null, 'Evaluation'),
    h('select', { onchange: go }, items.map((e) => h('option', {
      value: e.evaluation, selected: e.evaluation === evaluation.evaluation,
    }, `${e.evaluation}: version ${e.candidate} ${e.candidate_recipe ?? ''} against ` +
      `${e.champion}, ${VERDICTS[e.status] ?? e.status}`))));
}

/// Whoever watches what is under way also wants to see how the one before ended.
function lastVerdict({ items, evaluation }, { pipeline, route }) {
  if (route.item || evaluation.status !== 'running') return null;
  const ended = items.filter((e) => e.status !== 'running' && e.status !== 'superseded')
    .sort((a, b) => b.end_row - a.end_row || b.evaluation - a.evaluation)[0];
  return ended && h('p', { class: 'last' }, h('span', { class: 'small' }, 'Last verdict '),
    h('a', { href: `#/${encodeURIComponent(pipeline.pipeline)}/comparison/${ended.evaluation}` },
      `version ${ended.candidate} against ${ended.champion}`), ` ${standing(ended)}`);
}

function verdict({ evaluation: e, requests }, { pipeline, operate, refresh }) {
  const versions = `#/${encodeURIComponent(pipeline.pipeline)}/versions/`;
  const open = (kind) => () =>
    openDialog(kind, pipeline.pipeline, { version: e.candidate }, refresh);
  const waits = requests.some((d) => d.evaluation === e.evaluation) &&
    pipeline.champion?.version === e.champion;
  const isChampion = pipeline.champion?.version === e.candidate;
  const canWin = e.status === 'running' || pipeline.learners?.some((l) =>
    l.version === e.candidate);
  return h('section', { class: `verdict ${e.status}`, 'aria-label': 'Verdict' },
    h('p', { class: 'sentence' }, standing(e)),
    h('p', { class: 'small' },
      h('a', { href: versions + e.candidate }, `version ${e.candidate}`),
      e.candidate_recipe && ` (${e.candidate_recipe}, ${e.candidate_kind})`, ' against ',
      h('a', { href: versions + e.champion }, `version ${e.champion}`),
      ` as served, judged on ${metric(e.policy?.on)}, from row ${count(e.start_row)}`,
      e.end_row ? ` to ${count(e.end_row)}` : ''),
    operate && !isChampion && (waits || canWin) && h('p', { class: 'buttons' },
      waits && h('button', { type: 'button', class: 'main', onclick: open('approve') },
        `Approve version ${e.candidate}…`),
      !waits && canWin && h('button', { type: 'button', onclick: open('promote') },
        `Promote version ${e.candidate}…`)));
}

function figures(e) {
  const f = e.figures?.counted_rows ? e.figures : { ...e.figures, champion_loss: null,
    candidate_loss: null, mean_difference: null };
  const loss = metric(e.policy?.on);
  const interval = Number.isFinite(f.interval_low)
    ? `${difference(f.interval_low)} to ${difference(f.interval_high)}`
    : 'interval from the 50th block on';
  return tiles([
    [`Champion ${loss}`, figure(f.champion_loss), 'as served'],
    [`Candidate ${loss}`, figure(f.candidate_loss), 'on the same rows'],
    ['Difference', difference(f.mean_difference), interval],
    ['Log evidence', `${short(f.log_evidence)} of ${short(f.log_threshold)}`,
      `against: ${short(f.log_evidence_against)}`],
    ['Rows counted', count(f.counted_rows ?? 0),
      e.status === 'running' ? `expected ${expected(e)}` : `at most ${count(e.policy?.max_rows)}`],
    ['Block', plural(f.block_rows, 'row'), `${plural(f.blocks, 'block')}, inflation ` +
      short(f.inflation)],
  ]);
}

function differenceChart(e, points) {
  const f = e.figures ?? {};
  const label = `Mean difference of ${metric(e.policy?.on)} over counted rows: now ` +
    `${difference(f.mean_difference)}, margin ${figure(e.policy?.margin ?? 0)}; ` +
    `${plural(points.length, 'point')}, all in the table that follows.`;
  return panel(e, 'difference', 'Mean loss difference',
    'champion’s loss − candidate’s, by counted rows; above the margin is better',
    label, points,
    ['Difference', 'Low', 'High'],
    (p) => [difference(p.mean_difference), difference(p.interval_low),
      difference(p.interval_high)]);
}

function evidenceChart(e, points) {
  const f = e.figures ?? {};
  const label = `Log evidence over counted rows: now ${short(f.log_evidence)}, threshold ` +
    `${short(f.log_threshold)}; ${plural(points.length, 'point')}, all in the table that follows.`;
  return panel(e, 'evidence', 'Evidence',
    'ln E that the candidate beats the margin, by counted rows: promoted at the threshold',
    label, points,
    ['Log evidence', 'Threshold'], (p) => [short(p.log_evidence), short(p.log_threshold)]);
}

function panel(e, name, heading, note, label, points, columns, cells) {
  const key = `${name}-${e.evaluation}`;
  return h('section', { class: 'panel', key, 'aria-label': heading },
    h('h2', null, heading), h('p', { class: 'small' }, note),
    points.length === 0 ? h('p', { class: 'note' }, 'No block is complete yet.') : [
      chartFrame(`chart-${key}`, label),
      h('details', null, h('summary', null, 'Figures'),
        table(`${heading}, by counted rows`,
          [{ text: 'Rows', number: true }, 'Event time',
            ...columns.map((text) => ({ text, number: true }))],
          points.map((p) => [count(p.rows), p.time ? time(p.time) : UNKNOWN, ...cells(p)]))),
    ]);
}

function conditions({ policy: p, figures: f }) {
  if (!p) return null;
  return h('details', { class: 'conditions' }, h('summary', null, 'Under which policy'),
    h('dl', { class: 'inline' }, [
      ['judged on', metric(p.on)], ['test', f?.test ?? p.test], ['margin', figure(p.margin)],
      ['alpha', p.alpha], ['clip', p.clip], ['cycle', p.cycle ?? 'none'],
      ['most rows', count(p.max_rows)],
    ].map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value)))));
}
