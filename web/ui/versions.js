// The versions: which were live when, where one comes from, and any two side by side. Promote and
// roll back start here.

import { get, of, query } from './api.js';
import { facts, h, table } from './dom.js';
import { count, difference, duration, figure, metric, plural, time, UNKNOWN } from './format.js';
import { openDialog } from './dialog.js';
import { standing } from './words.js';

export const title = 'Versions';

export async function load({ pipeline, item, query: { with: other } }, signal) {
  const one = (v) => v ? get(of(pipeline, 'versions', v), signal) : null;
  const [list, version, second] = await Promise.all([
    get(of(pipeline, 'versions') + query({ limit: 1000 }), signal), one(item), one(other)]);
  const items = [...list.items].sort((a, b) => b.version - a.version);
  return { items, version, second };
}

export function draw({ items, version, second }, context) {
  if (version) return detail(version, second, items, context);
  return [h('h1', null, 'Versions'), items.length === 0
    ? h('section', { class: 'empty' }, h('p', null, 'No version yet. Each learner becomes one ' +
      'when the stream starts, each frozen candidate at its trigger.'))
    : table('Versions, newest first',
      [{ text: 'Version', number: true }, 'Recipe', 'Status', 'Made', 'Live',
        ...(context.operate ? ['Steer'] : [])],
      items.map((v) => row(v, context)))];
}

const path = (pipeline, v) => `#/${encodeURIComponent(pipeline.pipeline)}/versions/${v}`;

function row(v, context) {
  return [
    h('a', { href: path(context.pipeline, v.version) }, String(v.version)),
    [v.recipe, h('span', { class: 'small line' }, [v.kind, v.revision].filter(Boolean).join(', '))],
    [(v.aliases ?? []).map((a) => h('span', { class: `status alias-${a}` }, a)), v.status],
    [v.created_time ? time(v.created_time, true) : 'at the start',
      h('span', { class: 'small line' }, `row ${count(v.created_row)}`)],
    spans(v.live),
    ...(context.operate ? [steer(v, context)] : []),
  ];
}

/// When it was live; the last three spans, newest first.
function spans(live) {
  if (!live?.length) return h('span', { class: 'muted' }, 'never');
  const shown = [...live].reverse().slice(0, 3);
  return [shown.map((s) => h('span', { class: 'line' }, s.to
    ? [h('span', { class: 'whole' }, time(s.from, true), ' –'), ' ', time(s.to, true),
      h('span', { class: 'small whole' }, ` (${duration(s.from, s.to)})`)]
    : ['since ', time(s.from, true)])),
  live.length > 3 && h('span', { class: 'small line' }, `and ${live.length - 3} before`)];
}

function steer(v, { pipeline, operate, refresh }) {
  if (!operate || v.version === pipeline.champion?.version) return null;
  const canServe = ['candidate', 'learning'].includes(v.status);
  const button = (kind, text) => h('button', {
    type: 'button', class: 'quiet', 'aria-label': `${text} version ${v.version}`,
    onclick: () => openDialog(kind, pipeline.pipeline, { version: v.version }, refresh),
  }, `${text}…`);
  return h('span', { class: 'buttons' }, canServe && button('promote', 'Promote'),
    v.live?.length > 0 && button('rollback', 'Roll back to'));
}

function detail(v, second, items, context) {
  const { pipeline } = context;
  const l = v.lineage ?? {};
  return [
    h('p', { class: 'back' }, h('a', { href: path(pipeline, '') }, 'All versions')),
    h('div', { class: 'title' }, h('h1', null, `Version ${v.version}`), steer(v, context)),
    h('section', { 'aria-label': 'What it is' }, facts([
      ['Kind', `${v.kind} of recipe ${v.recipe}`],
      ['Status', [(v.aliases ?? []).map((a) => h('span', { class: `status alias-${a}` }, a)),
        v.status]],
      v.revision && ['Revision', v.revision],
      ['Live', spans(v.live)],
      ['Rows seen', rowsSeen(v)],
      ['Parent', l.parent ? h('a', { href: path(pipeline, l.parent) }, `version ${l.parent}`)
        : 'none'],
      ['Features', h('code', null, l.feature_identity ?? UNKNOWN)],
      ['Seed', String(l.seed ?? UNKNOWN)],
      ['Build', h('code', null, [l.build, l.profile].filter(Boolean).join(', ') || UNKNOWN)],
    ])),
    metrics(v, second),
    evaluations(v, pipeline),
    revisions(v),
    comparison(v, second, items, pipeline),
    h('details', null, h('summary', null, 'Recipe'),
      h('pre', { tabindex: 0, 'aria-label': 'Recipe' }, JSON.stringify(l.recipe ?? {}, null, 2))),
  ];
}

function metrics(v, second) {
  const names = Object.keys({ ...v.metrics, ...second?.metrics });
  if (names.length === 0) return null;
  return section('Metrics', table('Metrics',
    ['Metric', ...[v, second].filter(Boolean).map((x) => ({
      text: `Version ${x.version}`, number: true,
    })), ...(second ? [{ text: 'Difference', number: true }] : [])],
    names.map((name) => {
      const [a, b] = [v.metrics?.[name], second?.metrics?.[name]];
      return [metric(name), figure(a), ...(second ? [figure(b), difference(a - b)] : [])];
    })));
}

function evaluations(v, pipeline) {
  if (!v.evaluations?.length) return null;
  return section('Evaluations', h('ul', { class: 'plain' }, [...v.evaluations].reverse().map((e) =>
    h('li', null, h('a', {
      href: `#/${encodeURIComponent(pipeline.pipeline)}/comparison/${e.evaluation}`,
    }, `${e.evaluation}: ${e.candidate} against ${e.champion}`), ' ', standing(e)))));
}

function revisions(v) {
  if (!v.revisions?.length) return null;
  return h('details', null, h('summary', null, `Revisions kept (${v.revisions.length})`),
    table('Revisions kept', ['Revision', 'sha256', 'Anchor'], v.revisions.map((r) =>
      [r.revision, h('code', null, r.sha256 ?? UNKNOWN), h('code', null, r.anchor || UNKNOWN)])));
}

function comparison(v, second, items, pipeline) {
  const here = path(pipeline, v.version);
  const go = (event) => {
    location.hash = here + (event.target.value ? `?with=${event.target.value}` : '');
  };
  const rows = second ? differences(summary(v), summary(second)) : [];
  return section('Compare with another', [
    h('label', { class: 'field row' }, h('span', null, 'Version'),
      h('select', { onchange: go }, h('option', { value: '' }, 'choose'),
        items.filter((o) => o.version !== v.version).map((o) => h('option', {
          value: o.version, selected: o.version === second?.version,
        }, `${o.version} ${o.recipe}`)))),
    second && (rows.length === 0 ? h('p', { class: 'note' }, 'They differ in nothing recorded.')
      : table('What differs', ['What', `Version ${v.version}`, `Version ${second.version}`], rows)),
  ]);
}

/// Those it was made from, and what it has learned since.
function rowsSeen({ lineage, learned_rows: learned }) {
  const [begin, end] = lineage?.rows ?? [];
  const made = end > begin && `made from [${count(begin)}, ${count(end)})`;
  const since = learned > 0 && `${plural(learned, 'row')} as they came`;
  return [made, since].filter(Boolean).join(', ') || 'none';
}

const summary = ({ status, created_row, created_time, lineage }) =>
  ({ status, created_row, created_time, lineage });

/// The leaves in which two JSON values differ: [path, a, b].
export function differences(a, b, at = '') {
  const nested = (x) => x !== null && typeof x === 'object';
  if (!nested(a) && !nested(b)) {
    return a === b ? [] : [[at, leaf(a), leaf(b)]];
  }
  const names = new Set([...Object.keys(nested(a) ? a : {}), ...Object.keys(nested(b) ? b : {})]);
  return [...names].flatMap((name) => differences(nested(a) ? a[name] : undefined,
    nested(b) ? b[name] : undefined, at ? `${at}.${name}` : name));
}

const leaf = (x) => x === undefined || x === null ? UNKNOWN : String(x);

function section(heading, content) {
  return h('section', { 'aria-label': heading }, h('h2', null, heading), content);
}
