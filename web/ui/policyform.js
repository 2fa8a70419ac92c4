// The common figures of a policy as a form, kept in step with the JSON text: editing a field
// replaces that one value in the text; editing the text refills the fields.

import { h } from './dom.js';
import { locate, replaceValue } from './jsontext.js';

const FIELDS = [
  ['Promote', [
    { path: ['promote', 'margin'], name: 'Margin', hint: 'loss to win by', step: 'any' },
    { path: ['promote', 'alpha'], name: 'Alpha', hint: 'chance of a false promotion',
      min: 0, max: 1, step: 'any' },
    { path: ['promote', 'refresh', 'every_rows'], name: 'Refresh every', hint: 'rows', min: 1 },
  ]],
  ['Evaluate', [
    { path: ['evaluate', 'test'], name: 'Test', hint: 'of the evidence',
      choices: ['mixture', 'bounded'] },
    { path: ['evaluate', 'warmup_rows'], name: 'Warm-up', hint: 'rows, at least 2,000',
      min: 2000 },
    { path: ['evaluate', 'max_rows'], name: 'At most', hint: 'counted rows', min: 1 },
  ]],
  ['After a promotion', [
    { path: ['promote', 'probation', 'rows'], name: 'Probation', hint: 'rows', min: 0 },
    { path: ['promote', 'probation', 'tolerance'], name: 'Tolerance', hint: 'loss to be worse by',
      min: 0, step: 'any' },
  ]],
  ['Retrain', [
    { path: ['retrain', 'when', 'any', 'rows'], name: 'Every', hint: 'rows', min: 1 },
  ]],
];

/// The form; `onText(text)` is told of the text with a field's new value in it.
export function policyForm(text, readOnly, onText) {
  const change = (field) => (event) => {
    const path = place(text(), field);
    const { value, validity } = event.target;
    if (!path || value === '' || !validity.valid) return;
    onText(replaceValue(text(), path, field.choices ? value : Number(value)));
  };
  const form = h('form', { class: 'figures', 'aria-label': 'Common figures',
    onsubmit: (event) => event.preventDefault() },
  FIELDS.map(([group, fields]) => h('fieldset', null, h('legend', null, group),
    fields.map((field) => input(field, readOnly, change(field))))));
  return form;
}

function input(field, readOnly, oninput) {
  const id = `f-${field.path.join('-')}`;
  const props = { id, name: id, oninput, disabled: readOnly, 'aria-describedby': `${id}-hint` };
  return h('div', { class: 'field' }, h('label', { for: id }, field.name),
    field.choices
      ? h('select', props, field.choices.map((c) => h('option', { value: c }, c)))
      : h('input', { ...props, type: 'number', inputmode: 'decimal', min: field.min,
        max: field.max, step: field.step ?? 1 }),
    h('span', { class: 'small', id: `${id}-hint` }, field.hint));
}

/// Fills the fields from the text, save the one being typed in. A text that is no JSON leaves all.
export function fill(form, text, readOnly) {
  const whole = parse(text);
  if (whole === undefined) return;
  for (const field of FIELDS.flatMap(([, fields]) => fields)) {
    const input = form.elements[`f-${field.path.join('-')}`];
    const path = place(text, field);
    const value = path?.reduce((node, name) => node?.[name], whole);
    input.disabled = readOnly || !path;
    if (input !== document.activeElement) input.value = value ?? '';
  }
}

/// Where a field's value stands. Triggers are a list: the first that counts rows is the one.
function place(text, { path }) {
  if (path[0] !== 'retrain') return path;
  const any = parse(text)?.retrain?.when?.any;
  const index = Array.isArray(any) ? any.findIndex((t) => t && 'rows' in t) : -1;
  return index < 0 ? null : ['retrain', 'when', 'any', index, 'rows'];
}

/// {line, column} (from 1) → index in the text; a path alone is looked up.
export function indexOf(text, { line, column, path }) {
  if (line) {
    const before = text.split('\n').slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0);
    return Math.min(before + Math.max((column ?? 1) - 1, 0), text.length);
  }
  const names = String(path ?? '').replace(/\[(\d+)\]/g, '.$1').split('.').filter(Boolean)
    .map((name) => /^\d+$/.test(name) ? Number(name) : name);
  return names.length ? locate(text, names)?.begin ?? null : null;
}

function parse(text) {
  try {
    const whole = JSON.parse(text);
    return whole !== null && typeof whole === 'object' ? whole : undefined;
  } catch {
    return undefined;
  }
}
