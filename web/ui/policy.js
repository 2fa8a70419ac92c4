// The config, as a form and as JSON text, checked as one types. Saving needs a reason and is
// refused when somebody else saved meanwhile. What is typed survives a visit to another view.

import { ask, of, post, put } from './api.js';
import { h, patch, table } from './dom.js';
import { plural } from './format.js';
import { fill, indexOf, policyForm } from './policyform.js';

export const title = 'Policy';
export const still = true;

const TYPING_MS = 300;
const drafts = new Map();  // pipeline → {text, base}: what was typed, over which ETag

const MEANS = {
  policy: 'takes effect at the next tick', learner: 'starts a new learner',
  workspace: 'needs a new workspace',
};

export async function load({ pipeline }, signal) {
  const { body, etag } = await ask(of(pipeline, 'policy'), { signal });
  return { text: body.text, hash: body.hash, etag };
}

export function draw({ hash }, { operate }) {
  return [
    h('h1', null, 'Policy'),
    h('p', { class: 'small' }, 'Config ', h('code', null, String(hash ?? '').slice(0, 12)),
      operate ? '' : '; your role may look, not change'),
    h('div', { class: 'notice', key: 'notice', keep: true, role: 'status' }),
    h('div', { class: 'editor', key: 'editor', keep: true }),
  ];
}

export function drawn(main, data, context) {
  const edit = {
    pipeline: context.route.pipeline, readOnly: !context.operate, saved: data.text,
    etag: data.etag, asked: 0, timer: null,
    notice: main.querySelector('.notice'),
  };
  const draft = drafts.get(edit.pipeline);
  const from = draft ?? { text: data.text, base: data.etag };
  edit.etag = from.base;
  build(main.querySelector('.editor'), edit, from.text);
  if (draft && draft.base !== data.etag) changedMeanwhile(edit);
  else if (draft) say(edit, 'Your unsaved changes are back.', ['Discard them', () => reload(edit)]);
  let seen = context.pipeline.last_decision?.sequence;
  return ({ pipeline: { last_decision: last } }) => {
    if (last?.sequence !== seen) watchHash(edit);
    seen = last?.sequence;
  };
}

function build(box, edit, text) {
  const area = h('textarea', {
    id: 'policy-text', class: 'json', spellcheck: 'false', autocapitalize: 'off', rows: 34,
    wrap: 'off', readonly: edit.readOnly, 'aria-describedby': 'policy-problems',
    oninput: () => changed(edit, 'text'),
  });
  area.value = text;
  edit.area = area;
  edit.form = policyForm(() => area.value, edit.readOnly, (next) => {
    area.value = next;
    changed(edit, 'form');
  });
  edit.result = h('div', { id: 'policy-problems', class: 'result', role: 'status' });
  edit.save = h('button', { type: 'submit', class: 'main', disabled: true }, 'Save');
  edit.reason = h('textarea', { name: 'reason', rows: 2, required: true, maxlength: 1000 });
  box.replaceChildren(
    h('div', { class: 'side' }, edit.form, edit.result,
      !edit.readOnly && h('form', { class: 'saving', onsubmit: (e) => save(e, edit) },
        h('label', { class: 'field' },
          h('span', null, 'Reason (required, kept with the decision)'), edit.reason),
        h('p', { class: 'buttons' }, edit.save))),
    h('div', { class: 'text' }, h('label', { for: 'policy-text' }, 'The whole config as JSON'),
      area));
  fill(edit.form, text, edit.readOnly);
  changed(edit, 'start');
}

/// After every keystroke: refill what was not typed in, keep the draft, check once typing rests.
function changed(edit, where) {
  const text = edit.area.value;
  if (where === 'text') fill(edit.form, text, edit.readOnly);
  if (text === edit.saved) drafts.delete(edit.pipeline);
  else drafts.set(edit.pipeline, { text, base: edit.etag });
  edit.save.disabled = true;
  clearTimeout(edit.timer);
  if (edit.readOnly) return;
  if (text === edit.saved) {
    edit.asked += 1;
    patch(edit.result, h('p', { class: 'small' }, 'As recorded; nothing to save.'));
    return;
  }
  edit.timer = setTimeout(() => check(edit), TYPING_MS);
}

async function check(edit) {
  const mine = edit.asked += 1;
  const text = edit.area.value;
  try {
    const { body } = await post(of(edit.pipeline, 'policy', 'check'), { text });
    if (mine === edit.asked && text === edit.area.value) show(edit, body);
  } catch (error) {
    if (mine === edit.asked) patch(edit.result, h('p', { class: 'failure' }, error.message));
  }
}

function show(edit, { problems = [], differences = [] }) {
  const fresh = differences.some((d) => d.means === 'workspace');
  edit.save.disabled = problems.length > 0 || differences.length === 0 || fresh;
  edit.area.setAttribute('aria-invalid', problems.length > 0);
  const go = (problem) => () => {
    const index = indexOf(edit.area.value, problem);
    edit.area.focus();
    if (index === null) return;
    edit.area.setSelectionRange(index, index + 1);
    const line = edit.area.value.slice(0, index).split('\n').length;
    const height = edit.area.scrollHeight / edit.area.value.split('\n').length;
    edit.area.scrollTop = Math.max(0, (line - 5) * height);
  };
  patch(edit.result,
    problems.length > 0 && [h('h2', null, plural(problems.length, 'problem')),
      h('ul', { class: 'problems' }, problems.map((p) => h('li', null,
        h('button', { type: 'button', class: 'quiet', onclick: go(p) },
          p.line ? `Line ${p.line}, column ${p.column ?? 1}` : p.path || 'Show'),
        h('span', null, p.path ? [h('code', null, p.path), ': '] : null, p.message))))],
    problems.length === 0 && differences.length === 0 &&
      h('p', { class: 'small' }, 'Means the same as what is recorded; nothing to save.'),
    differences.length > 0 && [h('h2', null, plural(differences.length, 'difference')),
      table('Differences to what is recorded', ['What', 'From', 'To', 'Means'],
        differences.map((d) => [h('code', null, d.path), value(d.from), value(d.to),
          MEANS[d.means] ?? d.means]))],
    fresh && h('p', { class: 'failure' },
      'This needs a new workspace, so it can’t be saved here: freshet run --from-log takes the ' +
      'recorded log along.'));
}

const value = (v) => h('code', null, v === null || v === undefined ? 'none'
  : typeof v === 'string' ? v : JSON.stringify(v));

async function save(event, edit) {
  event.preventDefault();
  const reason = edit.reason.value.trim();
  if (edit.save.disabled || !reason) return;
  edit.save.disabled = true;
  const text = edit.area.value;
  try {
    await put(of(edit.pipeline, 'policy'), { text, reason }, edit.etag);
  } catch (error) {
    edit.save.disabled = false;
    if (error.status === 412) changedMeanwhile(edit);
    else if (error.body?.problems) show(edit, error.body);
    else say(edit, error.message);
    return;
  }
  drafts.delete(edit.pipeline);
  edit.reason.value = '';
  await reload(edit);
  say(edit, 'Saved; the decision is in the audit trail.');
}

function changedMeanwhile(edit) {
  say(edit, 'The config was changed meanwhile: reload to see it. What you typed is then gone.',
    ['Reload', () => reload(edit)]);
}

function say(edit, text, button) {
  patch(edit.notice, h('p', { class: 'banner' }, h('span', null, text),
    button && h('button', { type: 'button', onclick: button[1] }, button[0])));
}

async function reload(edit) {
  try {
    const data = await load(edit);
    drafts.delete(edit.pipeline);
    patch(edit.notice);
    Object.assign(edit, { saved: data.text, etag: data.etag });
    edit.area.value = data.text;
    fill(edit.form, data.text, edit.readOnly);
    changed(edit, 'start');
  } catch (error) {
    say(edit, error.message);
  }
}

/// Something was decided: was it about the config?
async function watchHash(edit) {
  const data = await load(edit).catch(() => null);
  if (!data || data.etag === edit.etag || !edit.area.isConnected) return;
  if (edit.area.value === edit.saved) reload(edit);
  else changedMeanwhile(edit);
}

addEventListener('beforeunload', (event) => {
  if (drafts.size > 0) event.preventDefault();
});
