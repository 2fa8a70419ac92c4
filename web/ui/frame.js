// What stands above every view of a pipeline: the banners (paused, failed, warming up, waiting for
// approval) and, for those who may operate, the actions.

import { h } from './dom.js';
import { plural } from './format.js';
import { KINDS } from './words.js';
import { openDialog } from './dialog.js';

export function banners({ pipeline, operate, refresh }) {
  const { status, failure, missing_rows: missing, last_decision: last } = pipeline;
  const open = (kind, version) => () => openDialog(kind, pipeline.pipeline, { version }, refresh);
  const shown = [];
  if (status === 'failed') {
    shown.push(h('p', { class: 'banner bad', key: 'failed', role: 'alert' },
      h('span', null, h('strong', null, 'Failed. '), failure ?? 'The server says no more.')));
  }
  if (status === 'paused') {
    const why = ['paused', 'rolled_back'].includes(last?.kind)
      ? `${KINDS[last.kind]} by ${last.actor}: ${last.reason}` : '';
    shown.push(h('p', { class: 'banner', key: 'paused' },
      h('span', null, h('strong', null, 'Paused. '),
        'Refresh and automatic promotion wait until resumed. ', why),
      operate && h('button', { type: 'button', onclick: open('resume') }, 'Resume…')));
  }
  if (status === 'warming_up') {
    shown.push(h('p', { class: 'banner plain', key: 'warming' },
      h('span', null, h('strong', null, 'Warming up. '),
        `${plural(missing, 'row')} missing before the first champion; until then predictions ` +
        'are refused.')));
  }
  if (last?.kind === 'approval_requested') {
    const version = versionOf(last.to);
    shown.push(h('p', { class: 'banner', key: 'approval' },
      h('span', null, h('strong', null, `Version ${version} waits for approval. `), last.reason),
      operate && h('button', { type: 'button', onclick: open('approve', version) }, 'Approve…')));
  }
  return shown;
}

/// The version of a revision: 4 of '4@34560'.
export function versionOf(revision) {
  const number = Number.parseInt(revision ?? '', 10);
  return Number.isNaN(number) ? null : number;
}

export function actions({ pipeline, operate, refresh }) {
  if (!operate || !pipeline) return null;
  const button = (kind, text) => h('button', {
    type: 'button', class: 'quiet', key: kind,
    onclick: () => openDialog(kind, pipeline.pipeline, {}, refresh),
  }, text);
  return h('div', { class: 'actions', role: 'group', 'aria-label': 'Actions' },
    button('train', 'Train…'),
    pipeline.status !== 'paused' && button('pause', 'Pause…'),
    pipeline.champion && button('rollback', 'Roll back…'));
}
