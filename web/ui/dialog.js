// Promote, roll back, approve, pause, resume, train: what it would do, to what, and why. A reason
// is required; it becomes part of the decision.

import { ask, get, of, post, query } from './api.js';
import { facts, h, patch, table } from './dom.js';
import { count, difference, figure, metric, time } from './format.js';

const KINDS = {
  promote: {
    verb: 'Promote', path: 'promote', target: true, guarded: true,
    note: 'It becomes the champion at once, whatever its evaluation says; running evaluations ' +
      'end as superseded.',
  },
  approve: {
    verb: 'Approve', path: 'approve', target: true,
    note: 'It was shown better and waits: it becomes the champion.',
  },
  rollback: {
    verb: 'Roll back', path: 'rollback', target: true, guarded: true, choose: true,
    note: 'It serves as last served, frozen: refresh and automatic promotion pause until resumed.',
  },
  pause: {
    verb: 'Pause', path: 'pause',
    note: 'Refresh and automatic promotion wait until resumed; the champion keeps serving, ' +
      'learners keep learning.',
  },
  resume: {
    verb: 'Resume', path: 'resume', note: 'Refresh and automatic promotion go on.',
  },
  train: {
    verb: 'Train', path: 'train',
    note: 'Trains the candidates that the policy’s retrain.do names, as a trigger would.',
  },
};

/// Shows the dialog; `done` runs after the server has taken the command.
export async function openDialog(kind, pipeline, { version = null }, done) {
  const spec = KINDS[kind];
  const box = h('dialog', { 'aria-labelledby': 'dialog-title', class: 'dialog' });
  const dialog = { spec, pipeline, version, box, done, facts: null, sending: false };
  box.addEventListener('close', () => box.remove());
  document.body.append(box);
  patch(box, h('h2', { id: 'dialog-title' }, spec.verb), h('p', { class: 'note' }, 'Loading…'),
    h('p', { class: 'buttons end' }, cancel(box)));
  box.showModal();
  await read(dialog);
}

const cancel = (box) =>
  h('button', { type: 'button', class: 'quiet', onclick: () => box.close() }, 'Cancel');

/// What the target and the champion are, as of now; the ETag guards against a change meanwhile.
async function read(dialog) {
  const { spec, pipeline, box } = dialog;
  try {
    const [state, list] = await Promise.all([
      ask(of(pipeline)),
      spec.choose ? get(of(pipeline, 'versions') + query({ limit: 1000 })) : null,
    ]);
    const champion = state.body.champion;
    const targets = (list?.items ?? []).filter((v) =>
      v.live?.length > 0 && v.version !== champion?.version).reverse();
    if (spec.choose && dialog.version === null) {
      dialog.version = state.body.previous?.version ?? targets[0]?.version ?? null;
    }
    const one = (v) => v ? get(of(pipeline, 'versions', v)) : null;
    const [target, live] = spec.target
      ? await Promise.all([one(dialog.version), one(champion?.version)]) : [null, null];
    dialog.facts = { state: state.body, etag: state.etag, targets, target, live };
    draw(dialog);
  } catch (error) {
    patch(box, h('h2', { id: 'dialog-title' }, spec.verb),
      h('p', { class: 'failure', role: 'alert' }, error.message),
      h('p', { class: 'buttons end' }, cancel(box)));
  }
}

function draw(dialog, failure) {
  const { spec, pipeline, box, facts: { target, state, live } } = dialog;
  const name = target ? `${spec.verb}${spec.choose ? ' to' : ''} version ${target.version}`
    : spec.verb;
  if (spec.target && !target) {
    patch(box, h('h2', { id: 'dialog-title' }, spec.verb),
      h('p', null, 'No other version has served yet, so there is none to go back to.'),
      h('p', { class: 'buttons end' }, cancel(box)));
    return;
  }
  patch(box,
    h('h2', { id: 'dialog-title' }, `${name}?`),
    h('form', { onsubmit: (event) => submit(event, dialog) },
      h('p', { class: 'small' }, pipeline, ': ', spec.note),
      spec.choose && choice(dialog),
      target && about(target, state, live),
      h('label', { class: 'field' }, h('span', null, 'Reason (required, kept with the decision)'),
        h('textarea', {
          name: 'reason', rows: 2, required: true, maxlength: 1000,
        })),
      failure && h('div', { class: 'failure', role: 'alert' }, failure),
      h('p', { class: 'buttons end' }, cancel(box),
        h('button', { type: 'submit', class: 'main', disabled: dialog.sending }, name))));
  if (!failure) box.querySelector('textarea').focus({ preventScroll: true });
}

function choice(dialog) {
  const { targets, state } = dialog.facts;
  const choose = (event) => {
    dialog.version = Number(event.target.value);
    read(dialog);
  };
  return h('label', { class: 'field' }, h('span', null, 'Back to'),
    h('select', { onchange: choose }, targets.map((v) => h('option', {
      value: v.version, selected: v.version === dialog.version,
    }, `version ${v.version} ${v.recipe}` +
      (v.version === state.previous?.version ? ' (the previous champion)' : '')))));
}

function about(target, { champion, on }, live) {
  const last = target.live?.at(-1);
  return [
    facts([
      ['Target', `version ${target.version}${target.revision ? ` (${target.revision})` : ''}: ` +
        `${target.kind} of ${target.recipe}, ${target.status}`],
      ['Last served', !last ? 'never' : last.to
        ? [time(last.from, true), ' – ', time(last.to, true)] : 'now'],
      ['Champion now', champion ? `${champion.revision} ${champion.recipe}` : 'none'],
    ]),
    comparison(target, live, champion, on),
  ];
}

/// The figures of both: of their latest evaluation against each other, then their own metrics.
function comparison(target, live, champion, on) {
  const paired = (target.evaluations ?? []).findLast((e) =>
    e.candidate === target.version && e.champion === champion?.version);
  const rows = [];
  if (paired?.figures?.counted_rows) {
    const f = paired.figures;
    rows.push([`${metric(on)}, same ${count(f.counted_rows)} rows`, figure(f.candidate_loss),
      figure(f.champion_loss), difference(f.candidate_loss - f.champion_loss)]);
  }
  for (const name of Object.keys({ ...target.metrics, ...live?.metrics })) {
    const [a, b] = [target.metrics?.[name], live?.metrics?.[name]];
    rows.push([metric(name), figure(a), figure(b), difference(a - b)]);
  }
  if (rows.length === 0) return h('p', { class: 'small' }, 'No figures to compare.');
  return table('Target and champion', ['Figure', { text: 'Target', number: true },
    { text: 'Champion', number: true }, { text: 'Difference', number: true }], rows);
}

async function submit(event, dialog) {
  event.preventDefault();
  if (dialog.sending) return;
  const { spec, pipeline, version, box, done, facts: { etag } } = dialog;
  const reason = new FormData(event.target).get('reason').trim();
  if (!reason) {
    draw(dialog, h('p', null, 'Say why: a decision without a reason is not taken.'));
    return;
  }
  dialog.sending = true;
  const body = { reason };
  if (spec.target) body[spec.choose ? 'to' : 'version'] = version;
  try {
    await post(of(pipeline, spec.path), body, spec.guarded ? etag : undefined);
    box.close();
    done?.();
  } catch (error) {
    dialog.sending = false;
    const stale = error.status === 412 || error.status === 409;
    draw(dialog, [h('p', null, error.message), stale && h('p', null,
      h('button', { type: 'button', onclick: () => read(dialog) }, 'Show how it is now'))]);
  }
}
