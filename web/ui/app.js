// The frame: routes by the part after #, loads the view, redraws it when something moved, and
// shows what every view shares: place, tabs, banners, connection, announcements.
//
//   #/   #/P/comparison/E?   #/P/versions/V?   #/P/decisions?kind=…   #/P/policy   #/P/stream
//
// A view is {title, load(route, signal) → data, draw(data, context) → nodes, drawn?(main, data,
// context), still?}. `draw` runs again whenever something moved and is patched in; a `still` view
// (a form) is drawn once, and told of changes by `drawn`'s answer, a function.

import { get, ask, of } from './api.js';
import { watch } from './changes.js';
import { h, patch } from './dom.js';
import { actions, banners } from './frame.js';
import { inWords } from './words.js';
import * as overview from './overview.js';
import * as comparison from './comparison.js';
import * as versions from './versions.js';
import * as decisions from './decisions.js';
import * as policy from './policy.js';
import * as stream from './stream.js';

const VIEWS = { comparison, versions, decisions, policy, stream };
const LEAST_BETWEEN_LOADS_MS = 1000;

const box = (id) => document.getElementById(id);
const main = box('main');
let me = null;          // {role, version}
let route = null;       // {name, view, pipeline, item, query}
let loading = null;     // the AbortController of the load under way
let again = false;      // something moved while loading or out of sight
let timer = null;       // the next load, when it is due
let lastLoad = 0;
let shown = false;      // the view has been drawn with figures
let connection = 'connecting';
let tellView = null;    // a still view's ear
const heard = new Map();  // pipeline → the last decision announced

function parse(hash) {
  const [path, search = ''] = hash.replace(/^#/, '').split(/\?(.*)/s);
  let parts;
  try {
    parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    parts = [];
  }
  const [pipeline = null, name = 'comparison', item = null] = parts;
  const query = Object.fromEntries(new URLSearchParams(search));
  if (!pipeline) return { name: 'overview', view: overview, pipeline, item: null, query };
  const view = Object.hasOwn(VIEWS, name) ? VIEWS[name] : null;
  return { name, view, pipeline, item, query };
}

function navigate() {
  const next = parse(location.hash);
  const elsewhere = !route || next.name !== route.name || next.pipeline !== route.pipeline;
  const first = !route;
  route = next;
  loading?.abort();
  loading = null;
  if (elsewhere) {
    shown = false;
    tellView = null;
    main.replaceChildren(h('h1', { class: 'unseen' }, next.view?.title ?? 'Not found'),
      h('p', { class: 'note loading' }, 'Loading…'));
    frame(null);
    if (!first) {
      scrollTo(0, 0);
      main.focus({ preventScroll: true });
    }
  }
  document.title = title();
  load();
}

function title() {
  const here = route.view?.title ?? 'Not found';
  return route.pipeline ? `${here} · ${route.pipeline} · Freshet` : 'Freshet';
}

async function load() {
  const mine = new AbortController();
  loading = mine;
  again = false;
  lastLoad = Date.now();
  const here = route;
  main.setAttribute('aria-busy', 'true');
  try {
    if (!here.view) throw new Error('There is no such view.');
    me ??= await get('/me', mine.signal);
    const [state, data] = await Promise.all([
      here.pipeline ? ask(of(here.pipeline), { signal: mine.signal }) : null,
      tellView ? null : here.view.load(here, mine.signal),
    ]);
    if (mine.signal.aborted) return;
    show(here, state, data);
  } catch (error) {
    if (mine.signal.aborted) return;
    fail(error);
  }
  loading = null;
  main.removeAttribute('aria-busy');
  if (again) soon();
}

function show(here, state, data) {
  const pipeline = state?.body ?? null;
  const context = {
    route: here, pipeline, etag: state?.etag, me, refresh: load, announce,
    operate: pipeline ? pipeline.can_operate : me.role === 'operate',
  };
  const focused = document.activeElement;
  frame(context);
  hear(pipeline ? [pipeline] : data.items);
  if (tellView) {
    tellView(context);
    return;
  }
  if (!shown) main.replaceChildren(h('div', { class: `view view-${here.name}` }));
  patch(main.firstChild, here.view.draw(data, context));
  shown = true;
  if (!focused.isConnected) main.focus({ preventScroll: true });
  const ear = here.view.drawn?.(main, data, context);
  if (here.view.still) tellView = ear;
}

function fail(error) {
  const asOf = new Date(lastLoad).toLocaleTimeString('en-GB');
  const retry = h('button', { type: 'button', onclick: load }, 'Try again');
  const words = `${error.title && error.title !== error.message ? `${error.title}: ` : ''}` +
    error.message;
  if (shown) {
    box('banner').classList.add('stale');
    patch(box('banner'), h('p', { class: 'banner bad', role: 'alert' },
      h('span', null, `Not up to date (asked at ${asOf}). ${words}`), retry));
    return;
  }
  const lost = error.status === 404 || !route.view;
  main.replaceChildren(h('div', { class: 'view' }, h('section', { class: 'empty', role: 'alert' },
    h('h1', null, lost ? 'Not found' : error.status === 401 ? 'Not let in' : 'This did not work'),
    h('p', null, words), h('p', null, retry, ' ', h('a', { href: '#/' }, 'All pipelines')))));
  if (!error.status) setTimeout(soon, 5000);
}

/// Place, tabs and banners; context is null until the first answer.
function frame(context) {
  const { pipeline } = route;
  patch(box('where'), pipeline && [h('span', { class: 'slash', 'aria-hidden': 'true' }, '/'),
    h('a', { href: `#/${encodeURIComponent(pipeline)}/comparison` }, pipeline)]);
  box('tabs').hidden = !pipeline;
  patch(box('tabs'), pipeline && [
    h('ul', null, Object.entries(VIEWS).map(([name, view]) => h('li', null, h('a', {
      href: `#/${encodeURIComponent(pipeline)}/${name}`,
      'aria-current': name === route.name && 'page',
    }, view.title)))),
    context && actions(context)]);
  box('banner').classList.remove('stale');
  patch(box('banner'), context?.pipeline && banners(context));
}

function announce(text) {
  patch(box('announce'), text);
}

function hear(pipelines) {
  for (const { pipeline, last_decision: decision } of pipelines ?? []) {
    const before = heard.get(pipeline);
    const now = decision?.sequence ?? 0;
    if (before !== undefined && now > before) announce(`${pipeline}: ${inWords(decision)}`);
    heard.set(pipeline, now);
  }
}

/// Loads again, at most once a second, and not while nobody looks.
function soon() {
  if (document.hidden || loading) {
    again = true;
    return;
  }
  timer ??= setTimeout(() => {
    timer = null;
    if (loading) again = true;
    else load();
  }, Math.max(lastLoad + LEAST_BETWEEN_LOADS_MS - Date.now(), 0));
}

const STATES = {
  connecting: 'Connecting', live: 'Live', polling: 'Live (polling)', offline: 'Disconnected',
};

function connected(state) {
  connection = state;
  patch(box('connection'), h('span', { class: `dot ${state}`, 'aria-hidden': 'true' }),
    STATES[connection]);
  if (state === 'offline') soon();  // says so above the figures, if the server is gone indeed
}

box('skip').onclick = (event) => {
  event.preventDefault();  // the part after # is the route
  main.focus();
};
addEventListener('hashchange', navigate);
document.addEventListener('visibilitychange', () => again && !document.hidden && load());
connected('connecting');
navigate();
watch((change) => {
  if (change.all || !route.pipeline || change.pipeline === route.pipeline) soon();
}, connected);
