// The audit trail, newest first, filtered by kind; and what was live at a time, and why.

import { get, of, query } from './api.js';
import { h } from './dom.js';
import { count, figure, sentence, time } from './format.js';
import { because, KINDS, inWords, route } from './words.js';

export const title = 'Decisions';

const PAGE = 50;

export async function load({ pipeline, query: q }, signal) {
  const path = of(pipeline, 'decisions');
  const asked = q.at ? { at: q.at } : q.wall ? { wall: q.wall } : null;
  const [page, then] = await Promise.all([
    get(path + query({ kind: q.kind, since: q.since, cursor: q.cursor, limit: PAGE }), signal),
    asked && get(path + query(asked), signal).catch((error) => ({ error })),
  ]);
  return { items: page.items, next: page.next, then };
}

export function draw({ items, next, then }, context) {
  const { query: q } = context.route;
  return [
    h('h1', null, 'Decisions'),
    h('div', { class: 'filters' }, filter(context), moment(context)),
    then && live(then, q),
    items.length === 0 ? h('section', { class: 'empty' }, h('p', null, q.kind || q.since
      ? 'No such decision.' : 'Nothing has been decided yet.'))
      : h('ol', { class: 'decisions' }, items.map((d) => decision(d, context))),
    (next || q.cursor) && h('nav', { class: 'pages', 'aria-label': 'Pages' },
      q.cursor && h('a', { href: to(context, { ...q, cursor: '' }) }, 'Newest'),
      next && h('a', { href: to(context, { ...q, cursor: next }) }, 'Older')),
  ];
}

function to({ pipeline }, values) {
  return `#/${encodeURIComponent(pipeline.pipeline)}/decisions${query(values)}`;
}

function filter(context) {
  const { query: q } = context.route;
  const go = (event) => {
    location.hash = to(context, { ...q, kind: event.target.value, cursor: '' });
  };
  return h('label', { class: 'field' }, h('span', null, 'Kind'),
    h('select', { onchange: go }, h('option', { value: '' }, 'all'),
      Object.entries(KINDS).map(([kind, words]) =>
        h('option', { value: kind, selected: kind === q.kind }, words))));
}

function moment(context) {
  const { query: q } = context.route;
  const clock = q.wall ? 'wall' : 'at';
  const go = (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const text = form.get('time').trim();
    location.hash = to(context, { kind: q.kind, [form.get('clock')]: text && rfc3339(text) });
  };
  return h('form', { class: 'moment', onsubmit: go },
    h('label', { class: 'field' }, h('span', null, 'What was live at (UTC)'),
      h('input', {
        name: 'time', value: (q[clock] ?? '').replace('T', ' ').replace(/(\.000)?Z$/, ''),
        placeholder: '2024-01-31 12:00', autocomplete: 'off',
        pattern: '\\d{4}-\\d{2}-\\d{2}([T ]\\d{2}:\\d{2}(:\\d{2}(\\.\\d+)?)?)?Z?',
        title: 'A time as 2024-01-31 12:00',
      })),
    h('label', { class: 'field' }, h('span', null, 'by'),
      h('select', { name: 'clock' },
        h('option', { value: 'at', selected: clock === 'at' }, 'event time'),
        h('option', { value: 'wall', selected: clock === 'wall' }, 'clock'))),
    h('button', { type: 'submit' }, 'Ask'));
}

/// '2024-01-31 12:00' → '2024-01-31T12:00:00Z'
function rfc3339(text) {
  const [day, clock = '00:00'] = text.replace(/Z$/, '').split(/[T ]/);
  return `${day}T${clock.length === 5 ? `${clock}:00` : clock}Z`;
}

function live({ live: was, error }, q) {
  const when = [time(q.at ?? q.wall), q.at ? ' (event time)' : ' (clock)'];
  return h('section', { class: 'verdict', 'aria-label': 'What was live', 'aria-live': 'polite' },
    error ? h('p', null, error.message)
      : !was ? h('p', null, 'Nothing was live at ', when, '.')
        : [h('p', { class: 'sentence' }, `Version ${was.version} at revision ${was.revision}`),
          h('p', { class: 'small' }, 'was live at ', when, ', because of decision ',
            `${was.decision?.sequence}: ${was.decision ? inWords(was.decision) : ''}`)]);
}

function decision(d, { pipeline }) {
  const base = `#/${encodeURIComponent(pipeline.pipeline)}/`;
  const figures = Object.entries(d.figures ?? {});
  return h('li', { key: `d${d.sequence}` },
    h('p', { class: 'when' }, time(d.time, true),
      h('span', { class: 'small line' }, `row ${count(d.row)}`)),
    h('div', null,
      h('p', null, h('strong', { class: `kind ${d.kind}` }, KINDS[d.kind] ?? d.kind), route(d),
        h('span', { class: 'small' }, ` by ${d.actor}`)),
      h('p', { class: 'why' }, sentence(because(d))),
      h('details', null, h('summary', null, 'Receipt'),
        h('dl', { class: 'inline' }, [
          ['sequence', count(d.sequence)], ['position', count(d.position)],
          ['event time', time(d.time)], ['clock', clockTime(d.wall_time)],
          ['evaluation', d.evaluation &&
            h('a', { href: `${base}comparison/${d.evaluation}` }, String(d.evaluation))],
          ...figures.map(([name, v]) => [name.replaceAll('_', ' '), value(v)]),
          ['config', h('code', null, String(d.config ?? '').slice(0, 12))],
        ].filter(([, v]) => v).map(([name, v]) =>
          h('div', null, h('dt', null, name), h('dd', null, v)))))));
}

function clockTime(text) {
  return text ? `${text.slice(0, 19).replace('T', ' ')} UTC` : null;
}

function value(v) {
  if (typeof v !== 'number') return typeof v === 'object' ? JSON.stringify(v) : String(v);
  return Number.isInteger(v) ? count(v) : figure(v);
}
