// All pipelines, a card each: the champion, how well it answers, how fresh it is, what is being
// evaluated, what was decided last.

import { get } from './api.js';
import { facts, h, table } from './dom.js';
import { count, figure, metric, plural, rate, time, UNKNOWN } from './format.js';
import { expected, inWords, standing, STATUSES } from './words.js';
import { sparkline } from './sparkline.js';
import { openDialog } from './dialog.js';

export const title = 'Overview';

export function load(_route, signal) {
  return get('/pipelines?limit=1000', signal);
}

export function draw({ items }, context) {
  return [
    h('h1', null, items.length > 1 ? 'Pipelines' : 'Pipeline'),
    items.length === 0 && h('section', { class: 'empty' },
      h('p', null, 'This workspace has no pipeline yet.'),
      h('p', null, 'Start one with ', h('code', null, 'freshet serve CONFIG --workspace W'), '.')),
    h('div', { class: 'cards' }, items.map((p) => card(p, context))),
  ];
}

function card(p, { refresh }) {
  const link = `#/${encodeURIComponent(p.pipeline)}/`;
  const heading = `p-${p.pipeline}`;
  return h('article', { class: 'card', key: heading, 'aria-label': p.pipeline },
    h('header', null,
      h('h2', null, h('a', { href: `${link}comparison` }, p.pipeline)),
      h('span', { class: `status ${p.status}` }, STATUSES[p.status] ?? p.status)),
    p.status === 'failed' && h('p', { class: 'failure' }, p.failure ?? 'It failed.'),
    p.disk?.warning && h('p', { class: 'failure' }, p.disk.warning),
    p.status === 'paused' && h('p', { class: 'held' },
      h('span', null, 'Refresh and automatic promotion wait.'),
      p.can_operate && h('button', {
        type: 'button', onclick: () => openDialog('resume', p.pipeline, {}, refresh),
      }, 'Resume…')),
    p.champion ? live(p) : warming(p),
    facts([
      ['Champion', champion(p)],
      ['Evaluating', evaluating(p, link)],
      ['Freshness', freshness(p)],
      ['Last decision', decision(p.last_decision, link)],
    ]));
}

function warming({ missing_rows: missing }) {
  return h('div', { class: 'hero' }, h('p', { class: 'big' }, count(missing)),
    h('p', { class: 'small' },
      `${missing === 1 ? 'row' : 'rows'} missing before the first champion`));
}

function live(p) {
  const metrics = p.live?.metrics ?? {};
  const baselines = Object.entries(p.live?.baselines ?? {});
  const others = Object.entries(metrics).filter(([name]) => name !== p.on);
  const best = Math.min(...baselines.map(([, m]) => m?.[p.on]).filter(Number.isFinite));
  return h('div', { class: 'hero' },
    h('div', { class: 'headline' },
      h('p', null, h('span', { class: 'big' }, figure(metrics[p.on])), ' ',
        h('span', { class: 'small' }, `live ${metric(p.on)} over ${plural(p.live?.rows, 'row')}`)),
      sparkline(p.sparkline ?? [], best, metric(p.on))),
    h('dl', { class: 'inline' },
      baselines.map(([name, m]) => h('div', null,
        h('dt', { class: m?.[p.on] === best && 'dash' }, name.replaceAll('_', '-')),
        h('dd', null, figure(m?.[p.on])))),
      others.map(([name, value]) => h('div', null,
        h('dt', null, metric(name)), h('dd', null, figure(value))))),
    stretches(p));
}

/// The sparkline's figures.
function stretches({ sparkline: values = [], on }) {
  if (values.length < 2) return null;
  const name = `Live ${metric(on)} by stretch of rows, oldest first`;
  return h('details', null, h('summary', null, 'Figures'),
    table(name, ['Stretch', { text: metric(on), number: true }],
      values.map((v, i) => [count(i + 1), figure(v)])));
}

function champion({ champion: c }) {
  if (!c) return 'none yet';
  return [h('strong', null, c.revision), ` ${c.recipe}, ${c.kind}`,
    h('span', { class: 'small line' }, 'since ', time(c.since_time, true),
      `, row ${count(c.since_row)}`)];
}

function freshness(p) {
  return [`${plural(p.rows, 'row')}, ${rate(p.events_per_second)}`,
    h('span', { class: 'small line' },
      p.lag ? `${plural(p.lag, 'record')} behind` : 'up to date',
      ', watermark ', p.watermark ? time(p.watermark, true) : UNKNOWN)];
}

function evaluating({ evaluations = [] }, link) {
  if (evaluations.length === 0) return 'nothing now';
  return h('ul', { class: 'plain' }, evaluations.map((e) => h('li', null,
    h('a', { href: `${link}comparison/${e.evaluation}` },
      `version ${e.candidate} (${e.candidate_recipe ?? 'candidate'}) against ${e.champion}`),
    h('span', { class: 'small line' }, standing(e)),
    h('span', { class: 'small line' }, `Rows expected: ${expected(e)}.`))));
}

function decision(last, link) {
  if (!last) return 'none yet';
  return [h('a', { href: `${link}decisions` }, inWords(last)),
    h('span', { class: 'small line' }, time(last.time, true), `, by ${last.actor}`)];
}
