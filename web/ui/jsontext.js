// Finds and replaces one value in a JSON text, leaving every other character as the user typed it.

/// {begin, end} of the value at `path` (names and indexes), or null where there is none or the
/// text is no JSON that far.
export function locate(text, path) {
  const at = { i: 0 };
  try {
    return seek(text, at, path);
  } catch {
    return null;
  }
}

/// The text with the value at `path` replaced; where it is missing, the text is written anew.
export function replaceValue(text, path, value) {
  const span = locate(text, path);
  if (span) return text.slice(0, span.begin) + JSON.stringify(value) + text.slice(span.end);
  const whole = JSON.parse(text);
  let node = whole;
  for (const name of path.slice(0, -1)) node = node[name] ??= {};
  node[path.at(-1)] = value;
  return JSON.stringify(whole, null, 2);
}

function seek(text, at, path) {
  space(text, at);
  const begin = at.i;
  if (path.length === 0) {
    skip(text, at);
    return { begin, end: at.i };
  }
  const open = text[at.i];
  if (open !== '{' && open !== '[') return null;
  const close = open === '{' ? '}' : ']';
  at.i += 1;
  for (let index = 0; ; index += 1) {
    space(text, at);
    if (text[at.i] === close) return null;
    const name = open === '{' ? key(text, at) : index;
    if (name === path[0]) return seek(text, at, path.slice(1));
    skip(text, at);
    space(text, at);
    if (text[at.i] === ',') at.i += 1;
  }
}

function key(text, at) {
  const begin = at.i;
  string(text, at);
  const name = JSON.parse(text.slice(begin, at.i));
  space(text, at);
  if (text[at.i] !== ':') throw new Error('no colon');
  at.i += 1;
  return name;
}

function skip(text, at) {
  space(text, at);
  const first = text[at.i];
  if (first === '"') return string(text, at);
  if (first !== '{' && first !== '[') {
    const scalar = /[^\s,\]}]+/y;
    scalar.lastIndex = at.i;
    if (!scalar.test(text)) throw new Error('no value');
    at.i = scalar.lastIndex;
    return undefined;
  }
  let depth = 0;
  do {
    const c = text[at.i];
    if (c === undefined) throw new Error('no end');
    if (c === '"') {
      string(text, at);
      continue;
    }
    if (c === '{' || c === '[') depth += 1;
    if (c === '}' || c === ']') depth -= 1;
    at.i += 1;
  } while (depth > 0);
  return undefined;
}

function string(text, at) {
  const whole = /"(?:[^"\\]|\\.)*"/y;
  whole.lastIndex = at.i;
  if (!whole.test(text)) throw new Error('no string');
  at.i = whole.lastIndex;
}

function space(text, at) {
  while (/\s/.test(text[at.i] ?? '')) at.i += 1;
}
