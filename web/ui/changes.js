// Tells the page when something moved. All tabs of a browser share one event stream: the tab that
// holds the lock 'freshet-changes' listens and passes on over a BroadcastChannel; when it closes,
// another tab gets the lock. Where a browser has neither, each tab listens for itself. When the
// server has no stream left (503) the listening tab polls.
//
//   watch((change) => …, (state) => …)   state: 'live' | 'polling' | 'offline'
//   change: {pipeline, rows, decision, evaluation, …}, or {all: true}: anything may have changed

const PATH = '/api/v1/changes';
const POLLS_BEFORE_RETRY = 12;
const LONGEST_WAIT_MS = 30_000;

export function watch(onChange, onState) {
  const channel = self.BroadcastChannel ? new BroadcastChannel('freshet-changes') : null;
  let state = null;
  let leading = false;

  const tell = (message) => {
    receive(message);
    if (leading) channel?.postMessage(message);
  };
  const receive = (message) => {
    if (message.change) onChange(message.change);
    if (message.state && message.state !== state) {
      const back = state === 'offline';
      state = message.state;
      onState(state);
      if (back) onChange({ all: true });
    }
  };
  if (channel) {
    channel.onmessage = ({ data }) => {
      if (data.ask) {
        if (leading && state) channel.postMessage({ state });
      } else if (!leading) {
        receive(data);
      }
    };
    channel.postMessage({ ask: true });
  }
  if (channel && navigator.locks) {
    navigator.locks.request('freshet-changes', () => {
      leading = true;
      listen(tell);
      return new Promise(() => {});  // held until the tab closes
    });
  } else {
    listen(tell);
  }
}

function listen(tell) {
  let last = 0;
  const open = () => {
    const source = new EventSource(PATH);
    source.onopen = () => tell({ state: 'live' });
    source.addEventListener('change', (event) => {
      last = Number(event.lastEventId) || last;
      const change = parse(event.data);
      if (change) tell({ change });
    });
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) {
        tell({ state: 'offline' });  // the browser tries again by itself
        return;
      }
      source.close();
      poll();
    };
  };
  const poll = async () => {
    let wait = 1000;
    for (let good = 0; good < POLLS_BEFORE_RETRY;) {
      try {
        const answer = await fetch(`${PATH}?poll=${last}`, { cache: 'no-store' });
        if (!answer.ok) throw new Error(answer.statusText);
        const { id, changes } = await answer.json();
        last = id;
        tell({ state: 'polling' });
        for (const change of changes) tell({ change });
        good += 1;
        wait = 1000;
      } catch {
        tell({ state: 'offline' });
        wait = Math.min(2 * wait, LONGEST_WAIT_MS);
      }
      await new Promise((done) => setTimeout(done, wait));
    }
    open();
  };
  open();
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
