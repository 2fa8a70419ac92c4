// What comes in: rate, lag, watermark, what was refused and why, and the features as the scaler
// sees them.

import { get, of, query } from './api.js';
import { h, table, tiles } from './dom.js';
import { bytes, count, figure, percent, plural, rate, time, UNKNOWN } from './format.js';

export const title = 'Stream';

const PAGE = 25;

export async function load({ pipeline, query: { cursor } }, signal) {
  const [state, letters, features] = await Promise.all([
    get(of(pipeline, 'stream'), signal),
    get(of(pipeline, 'dead-letters') + query({ limit: PAGE, cursor }), signal),
    get(of(pipeline, 'features') + query({ limit: 1000 }), signal),
  ]);
  return { state, letters, features: features.items };
}

export function draw({ state, letters, features }, context) {
  return [h('h1', null, 'Stream'), figures(state), sources(state), sinks(state),
    labels(state), refused(state, letters, context), scaled(features), room(state)];
}

function figures(s) {
  const e = s.events ?? {};
  return tiles([
    ['Rate', rate(s.events_per_second)],
    ['Lag', plural(s.lag, 'record'), s.lag ? 'not gone through yet' : 'up to date'],
    ['Watermark', s.watermark ? time(s.watermark, true) : UNKNOWN, 'event time, UTC'],
    ['Open questions', count(s.open_questions), 'their label is not known yet'],
    ['Accepted', count(e.accepted), 'events'],
    ['Duplicates', count(e.duplicates), 'taken once'],
    ['Late', count(e.late), 'past the allowed lateness'],
    ['Dead letters', count(e.dead_letters), 'refused'],
  ], { class: 'tiles four' });
}

function room({ disk }) {
  if (!disk) return null;
  const kinds = Object.entries(disk.by_kind).filter(([, n]) => n > 0);
  return section('Disk', [
    disk.warning && h('p', { class: 'failure' }, disk.warning),
    h('dl', { class: 'inline' }, [
      ['free', disk.free_bytes], ['workspace', disk.workspace_bytes], ...kinds,
    ].map(([name, n]) => h('div', null, h('dt', null, name), h('dd', null, bytes(n))))),
  ]);
}

function sources({ sources: list = [] }) {
  const detailed = list.some((s) => s.detail);
  return section('Sources', list.length === 0
    ? h('p', { class: 'note' }, 'No source is configured; events come over HTTP.')
    : table('Sources', ['Name', 'Kind', 'State', { text: 'Read', number: true },
      ...(detailed ? ['Detail'] : [])],
    list.map((s) => [s.name, s.kind, s.state, count(s.read),
      ...(detailed ? [s.detail ?? ''] : [])])));
}

function sinks({ sinks: list = [] }) {
  if (list.length === 0) return null;
  return section('Published', table('Published', ['What', 'Topic', 'State',
    { text: 'Delivered', number: true }, { text: 'Waiting', number: true }, 'Detail'],
  list.map((s) => [s.kind, s.topic, s.state, count(s.delivered), count(s.waiting), s.detail])));
}

function labels({ labels: l }) {
  if (!l) return null;
  return section('Labels', h('dl', { class: 'inline' }, [
    ['for unknown events', l.unknown], ['in conflict', l.conflicts], ['given up', l.given_up],
    ['by default', l.defaulted],
  ].map(([name, n]) => h('div', null, h('dt', null, name), h('dd', null, count(n))))));
}

function refused({ dead_letters_by_reason: reasons = [] }, letters, { route, pipeline }) {
  const here = `#/${encodeURIComponent(pipeline.pipeline)}/stream`;
  const { cursor } = route.query;
  return section('Dead letters and late events', [
    reasons.length > 0 && table('Dead letters by reason',
      ['Reason', { text: 'Count', number: true }], reasons.map((r) => [r.reason, count(r.count)])),
    letters.items.length === 0
      ? h('p', { class: 'note' }, 'Nothing was refused, nothing came late.')
      : h('ol', { class: 'letters' }, letters.items.map((d) => h('li', { key: `l${d.number}` },
        h('p', null, h('strong', null, d.kind === 'late' ? 'Late' : 'Dead letter'),
          ` ${count(d.number)}: `, d.reason,
          h('span', { class: 'small line' }, d.source, d.line ? `, line ${count(d.line)}` : '')),
        h('details', null, h('summary', null, 'As it came'),
          h('pre', { tabindex: 0, 'aria-label': 'As it came' }, d.raw))))),
    (letters.next || cursor) && h('nav', { class: 'pages', 'aria-label': 'Pages' },
      cursor && h('a', { href: here }, 'Newest'),
      letters.next && h('a', { href: here + query({ cursor: letters.next }) }, 'Older')),
  ]);
}

function scaled(features) {
  return section('Features', features.length === 0
    ? h('p', { class: 'note' }, 'No features yet.')
    : table('Features', ['Name', 'From', 'Encoded', 'Scale', { text: 'Mean', number: true },
      { text: 'Deviation', number: true }, { text: 'Missing', number: true }],
    features.map((f) => [f.name, f.from ?? UNKNOWN, f.encode ?? UNKNOWN, f.scale ?? 'none',
      figure(f.mean), figure(f.deviation), percent(f.missing_share)])));
}

function section(heading, content) {
  return h('section', { 'aria-label': heading }, h('h2', null, heading), content);
}
