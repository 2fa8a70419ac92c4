// Builds and updates elements. Text only: nothing from the server is ever parsed as HTML.
//
//   h('p', {class: 'note', onclick: go}, 'Rows: ', 12)   an element; false and null are left out
//   patch(box, nodes)   makes box hold these nodes, changing only what differs: focus, scroll
//                       position, open <details> and half-typed fields stay as they are
//
// Handlers are on… properties, so that patch can hand the newest one to the element that stays.
// An element with a `key` is matched by it; one with `keep` is never touched inside.

const SVG = 'http://www.w3.org/2000/svg';
const SVG_TAGS = new Set(['svg', 'path', 'line', 'circle', 'title']);
const HANDLERS = ['onclick', 'onchange', 'oninput', 'onsubmit', 'onkeydown'];

export function h(tag, props, ...children) {
  const node = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) set(node, name, value);
  append(node, children);
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (HANDLERS.includes(name)) node[name] = value;
  else if (name === 'key' || name === 'keep') node[`_${name}`] = value;
  else if (name === 'value') node.value = value;
  else node.setAttribute(name, value === true ? '' : String(value));
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === '') continue;
    node.append(child instanceof Node ? child : String(child));
  }
}

/// Makes `box` hold exactly these nodes, with as few changes as possible.
export function patch(box, ...nodes) {
  const made = document.createDocumentFragment();
  append(made, nodes);
  children(box, made);
}

function children(old, fresh) {
  const keyed = new Map();
  for (const child of old.childNodes) if (child._key) keyed.set(child._key, child);
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const match = wanted._key ? keyed.get(wanted._key) : at;
    if (match && same(match, wanted)) {
      if (match === at) at = at.nextSibling;
      else old.insertBefore(match, at);
      update(match, wanted);
    } else {
      old.insertBefore(wanted, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function same(a, b) {
  return a.nodeName === b.nodeName && a._key === b._key;
}

function update(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && name !== 'open') old.setAttribute(name, value);
  }
  for (const name of HANDLERS) old[name] = fresh[name];
  if (old._keep) return;
  children(old, fresh);
  if (old.nodeName === 'SELECT' && old !== document.activeElement) old.value = fresh.value;
}

/// A table in a box of its own that scrolls sideways. Cells are nodes, texts, or
/// {text|node, number: true}; `columns` are texts or {text, number: true}.
export function table(caption, columns, rows, props) {
  const numbers = columns.map((c) => Boolean(c?.number));
  const head = columns.map((c, i) =>
    h('th', { scope: 'col', class: numbers[i] && 'number' }, c?.text ?? c));
  const body = rows.map((cells) =>
    h('tr', null, cells.map((cell, i) =>
      h(i === 0 ? 'th' : 'td', { scope: i === 0 && 'row', class: numbers[i] && 'number' }, cell))));
  return h('div', { class: 'scroll', role: 'group', 'aria-label': caption, tabindex: 0, ...props },
    h('table', null, h('caption', { class: 'unseen' }, caption),
      h('thead', null, h('tr', null, head)), h('tbody', null, body)));
}

/// Pairs of name and figure. Entries: [name, value, note?].
export function tiles(entries, props) {
  return h('dl', { class: 'tiles', ...props }, entries.filter(Boolean).map(([name, value, note]) =>
    h('div', null, h('dt', null, name), h('dd', null, value),
      note && h('dd', { class: 'small' }, note))));
}

/// Pairs of name and text, one under the other.
export function facts(entries) {
  return h('dl', { class: 'facts' }, entries.filter(Boolean).map(([name, value]) =>
    h('div', null, h('dt', null, name), h('dd', null, value))));
}
