// Asks the server: JSON in, JSON out. A failure is an ApiError with the server's own words
// (RFC 9457 problem JSON); status 0 means that no answer came.

const ROOT = '/api/v1';
const PATIENCE_MS = 30_000;

export class ApiError extends Error {
  constructor(status, title, detail, body) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.body = body ?? {};
  }
}

/// The path of a pipeline's resource: of('card-fraud', 'versions', 3).
export function of(pipeline, ...parts) {
  return ['/pipelines', pipeline, ...parts].map((part, i) =>
    i === 0 ? part : encodeURIComponent(part)).join('/');
}

export function query(values) {
  const kept = Object.entries(values).filter(([, v]) => v !== null && v !== undefined && v !== '');
  const text = new URLSearchParams(kept).toString();
  return text && `?${text}`;
}

/// {body, etag}; throws ApiError, or AbortError when `signal` was used.
export async function ask(path, { method = 'GET', body, ifMatch, signal } = {}) {
  const headers = { Accept: 'application/json' };
  if (method !== 'GET') headers['X-Freshet'] = '1';
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (ifMatch) headers['If-Match'] = ifMatch;
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const stop = signal && AbortSignal.any ? AbortSignal.any([signal, patience]) : signal ?? patience;
  let answer;
  let text;
  try {
    answer = await fetch(ROOT + path, {
      method, headers, signal: stop, credentials: 'same-origin', cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'No answer', 'The server did not answer. It may have stopped.');
  }
  const parsed = parse(text);
  if (!answer.ok) {
    const title = parsed?.title ?? answer.statusText ?? 'Failed';
    throw new ApiError(answer.status, title, parsed?.detail ?? explain(answer.status), parsed);
  }
  if (parsed === undefined) throw new ApiError(answer.status, 'The answer is not JSON');
  return { body: parsed, etag: answer.headers.get('ETag') };
}

function parse(text) {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function explain(status) {
  if (status === 401) return 'Open the login link that freshet serve printed.';
  if (status === 403) return 'Your token may look, not change.';
  if (status === 404) return 'There is no such thing here.';
  if (status === 503) return 'The server is not ready yet.';
  return `The server answered with status ${status}.`;
}

export async function get(path, signal) {
  return (await ask(path, { signal })).body;
}

export function post(path, body, ifMatch) {
  return ask(path, { method: 'POST', body, ifMatch });
}

export function put(path, body, ifMatch) {
  return ask(path, { method: 'PUT', body, ifMatch });
}
