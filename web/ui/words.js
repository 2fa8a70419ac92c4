// Freshet's words for what happened and for how things stand.

import { count, figure, metric, plural, sentence, short } from './format.js';

export const KINDS = {
  first_champion: 'First champion', promoted: 'Promoted', rejected: 'Rejected',
  inconclusive: 'Inconclusive', superseded: 'Superseded', held_back: 'Refresh held back',
  rolled_back: 'Rolled back', trigger: 'Trigger', candidate_dropped: 'Candidate dropped',
  learner_stopped: 'Learner stopped', approval_requested: 'Approval requested', paused: 'Paused',
  resumed: 'Resumed', policy: 'Policy changed', probation_ended: 'Probation ended',
  quarantined: 'Quarantined',
};

export const STATUSES = {
  warming_up: 'warming up', running: 'running', paused: 'paused', failed: 'failed',
};

export const VERDICTS = {
  running: 'running', promote: 'promote', reject: 'reject', inconclusive: 'inconclusive',
  superseded: 'superseded',
};

/// A decision in a sentence: 'Promoted 1@30000 → 4@34560: log-loss lower …'.
export function inWords(decision) {
  const kind = KINDS[decision.kind] ?? sentence(decision.kind);
  return `${kind}${route(decision)}: ${because(decision)}`;
}

/// The reason, without the word that its kind has said already.
export function because({ kind, reason }) {
  const said = { promoted: 'Promote', rejected: 'Reject', inconclusive: 'Inconclusive',
    superseded: 'Superseded', held_back: 'refresh held back' }[kind];
  const text = String(reason ?? '');
  return said && text.startsWith(`${said}: `) ? text.slice(said.length + 2) : text;
}

const MOVES = ['first_champion', 'promoted', 'rolled_back'];

/// ' 1@30000 → 4@34560' where the champion changed, else what it is about.
export function route({ kind, from, to }) {
  const name = (v) => String(v).includes('@') ? v : `version ${v}`;
  if (from && to && from !== to) {
    return MOVES.includes(kind) ? ` ${from} → ${to}` : ` ${name(to)} against ${from}`;
  }
  return from || to ? ` ${name(to ?? from)}` : '';
}

/// The verdict, or where an evaluation stands.
export function standing(evaluation) {
  if (evaluation.status !== 'running' && evaluation.sentence) return evaluation.sentence;
  const f = evaluation.figures ?? {};
  if (!f.counted_rows) return 'Undecided: no row has counted yet.';
  const loss = metric(evaluation.policy?.on);
  const by = Math.abs(f.mean_difference);
  const way = f.mean_difference > 0 ? 'lower' : f.mean_difference < 0 ? 'higher' : 'equal';
  const ends = way === 'higher' ? [-f.interval_high, -f.interval_low]
    : [f.interval_low, f.interval_high];
  const band = Number.isFinite(ends[0])
    ? `, between ${figure(ends[0])} and ${figure(ends[1])}` : '';
  const change = way === 'equal' ? `${loss} is equal` : `${loss} ${way} by ${figure(by)}${band}`;
  return `Undecided: the candidate’s ${change}, after ${plural(f.counted_rows, 'row')}; ` +
    `log evidence ${short(f.log_evidence)} of ${short(f.log_threshold)}.`;
}

/// How many rows a verdict may still take.
export function expected(evaluation) {
  const { rows_to_verdict: rows, counted_rows: counted } = evaluation.figures ?? {};
  const most = evaluation.policy?.max_rows;
  const limit = most ? `at most ${count(most)}` : '';
  if (!rows) return limit || 'not known yet';
  if (rows <= counted) return `at a next look; ${limit}`;
  if (most && rows > most) return `more than the most of ${count(most)}`;
  return `about ${count(rows)}; ${limit}`;
}
