// Acme's page. It talks to Acme's own server, and opens the connect page when someone asks for it.
const apps = document.getElementById('apps');
const calls = document.getElementById('calls');
const status = document.getElementById('status');
const note = document.getElementById('note');
const noteSteps = document.getElementById('note-steps');
/** What is known of each connected account beyond the list: items, token, how often it was renewed. */
const seen = new Map();
/** What happened last to an app that is not connected. */
const notes = new Map();

const grantkeep = Grantkeep.createClient({ externalUserId: 'robin' });

/** Asks Acme's server; shows the calls that it made for that. */
async function ask(path, body, why) {
  const options = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await (await fetch(path, options)).json();
  if (answer.error) throw new Error(answer.error);
  if (why) showCalls(why, answer.calls);
  return answer;
}

async function load(why) {
  const answer = await ask('/api/apps', undefined, why);
  apps.replaceChildren(...answer.apps.map(card));
  apps.removeAttribute('aria-busy');
  note.hidden = !answer.apps.some((app) => app.slug === 'sim_short' && app.account);
  if (note.hidden) noteSteps.replaceChildren();
  return answer.apps;
}

/** Runs what a button does: once at a time, and with a word if it fails. */
function act(button, work) {
  button.addEventListener('click', async () => {
    button.disabled = true;
    say('');
    try {
      await work();
    } catch (why) {
      say(why.message, 'bad');
    }
    button.disabled = false;
  });
  return button;
}

async function connect(app) {
  const { token } = await ask('/api/connect-token', { app: app.slug }, `Connect ${app.name}`);
  const { id, error, completed } = await grantkeep.connectAccount({ app: app.slug, token });
  if (id) {
    notes.delete(app.slug);
    // What a browser says can be made up: Acme's server looks for the account itself.
    await look({ ...app, account: { id } });
    say(`${app.name} is connected.`);
  } else if (completed) {
    say(error ? error.message : `${app.name} was not connected.`, 'bad');
  }
}

async function look(app) {
  const answer = await ask('/api/use', { id: app.account.id }, `Look into ${app.name}`);
  const before = seen.get(app.account.id);
  const renewed = before && before.fingerprint !== answer.fingerprint;
  seen.set(app.account.id, {
    ...answer,
    old: renewed ? before.fingerprint : before?.old,
    renewals: (before?.renewals ?? 0) + (renewed ? 1 : 0),
    ends: answer.expires_at && Date.parse(answer.expires_at),
    life: answer.expires_at && Date.parse(answer.expires_at) - Date.now(),
  });
  await load();
}

async function disconnect(app) {
  const { outcome } = await ask('/api/disconnect', { id: app.account.id }, `Disconnect ${app.name}`);
  seen.delete(app.account.id);
  notes.set(app.slug, outcome);
  await load();
}

const OUTCOMES = {
  revoked: (name) => [`Disconnected. ${name} has revoked the grant: its tokens are dead.`],
  unsupported: (name) => [`Disconnected here, and the key is erased. Only you can end it at ${name}.`, 'warn'],
  failed: (name) => [`Disconnected here. ${name} refused to revoke the grant; end it in your settings there.`, 'warn'],
  pending: (name) => [`Disconnected here. ${name} has not answered yet; it is asked again until it does.`, 'warn'],
};

function card(app) {
  const box = make('section', { className: 'app' });
  const about = make('div', {}, make('h3', { textContent: app.name }));
  const head = make('div', { className: 'head' }, make('img', { src: app.logo, alt: '' }), about);
  box.append(head);
  box.dataset.app = app.slug;
  if (!app.account) {
    about.append(make('p', { textContent: app.purpose }));
    head.append(act(button('Connect', 'main', `Connect ${app.name}`), () => connect(app)));
    const note = notes.get(app.slug);
    if (note) box.append(noteOf(...OUTCOMES[note](app.name)));
    return box;
  }
  about.append(make('p', { className: 'on' }, icon('check'), make('span', { textContent: `${app.account.name || 'Key'} is connected` })));
  const known = seen.get(app.account.id);
  if (known) box.append(items(known), tokenOf(known));
  box.append(make('div', { className: 'acts' },
    act(button(known ? 'Look again' : 'Look', '', `Look into ${app.name}`), () => look(app)),
    act(button('Disconnect', 'plain', `Disconnect ${app.name}`), () => disconnect(app))));
  return box;
}

/** "Dentist, 09:00" has its time on the right. */
function items({ items }) {
  const rows = items.map(({ title }) => {
    const [, words, at] = /^(.*), (\d\d:\d\d)$/.exec(title) ?? [null, title];
    return make('li', {}, make('span', { textContent: words }), at ? make('span', { className: 'at', textContent: at }) : '');
  });
  return make('ul', { className: 'items' }, ...rows);
}

function tokenOf(known) {
  const kind = known.is_key ? 'Key' : 'Token';
  const line = make('div', { className: 'line' }, make('span', { textContent: `${kind} ` }));
  if (known.old) line.append(make('code', { className: 'old', textContent: known.old }), icon('next'));
  line.append(make('code', { className: known.old ? 'new' : '', textContent: known.fingerprint }));
  if (known.renewals) line.append(make('span', { textContent: `replaced ${times(known.renewals)}` }));
  const left = make('div', { className: 'left' });
  const box = make('div', { className: 'token' }, line);
  if (!known.ends) {
    left.textContent = 'It does not end by itself.';
  } else if (known.life > 600_000) {
    left.textContent = `Good for ${Math.round(known.life / 60_000)} minutes, then replaced before it ends.`;
  } else {
    box.append(make('div', { className: 'life' }, make('i')));
    countDown(box, left, known);
  }
  box.append(left);
  return box;
}

function countDown(box, left, known) {
  const bar = box.querySelector('i');
  const tick = () => {
    const rest = Math.max(0, known.ends - Date.now());
    bar.style.setProperty('transform', `scaleX(${rest / known.life})`);
    box.classList.toggle('ended', rest === 0);
    left.textContent = rest
      ? `Ends in ${Math.ceil(rest / 1000)} s.`
      : 'It has ended. When Acme looks again, it gets a new one.';
    if (rest && box.isConnected) requestAnimationFrame(tick);
  };
  queueMicrotask(tick);
}

const times = (count) => (count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`);

function showCalls(why, made) {
  const rows = made.map(({ to, call, status, ms }) => make('li', {},
    make('code', { textContent: call }),
    make('div', { className: 'to' },
      make('b', { className: to === 'grantkeep' ? 'ours' : '', textContent: to === 'grantkeep' ? 'to Grantkeep' : 'to the app, with the token' }),
      make('span', { textContent: `${status} · ${ms} ms` }))));
  calls.prepend(make('li', { className: 'why', textContent: why }), ...rows);
  calls.scrollTop = 0;
}

/** Starts the workflow, and shows each step once it is recorded. */
async function runNote() {
  const why = 'Run the morning note';
  noteSteps.replaceChildren(waiting('Starting'));
  let run;
  try {
    ({ run } = await ask('/api/note', {}, why));
  } catch (failed) {
    noteSteps.replaceChildren();
    throw failed;
  }
  for (;;) {
    const seen = await ask(`/api/note/${run}`, undefined);
    noteSteps.replaceChildren(...seen.steps.map(stepOf), seen.ended ? endOf(seen) : waiting('Running'));
    if (seen.ended) return showCalls(`${why}: the last look`, seen.calls);
    await new Promise((done) => setTimeout(done, 150));
  }
}

function stepOf({ name, state, ms, summary, error, calls, said }) {
  const words = { ok: summary ?? 'Done', skipped: 'Passed over', failed: error }[state];
  const row = make('li', { className: state },
    icon({ ok: 'check', skipped: 'skip', failed: 'info' }[state]),
    make('div', {}, make('b', { textContent: name.replaceAll('_', ' ') }), make('span', { textContent: words }),
      ...calls.map((it) => make('code', { textContent: `${it.method} ${it.path} ${it.status} · ${it.ms} ms` })),
      ...said.map((it) => make('code', { textContent: it }))));
  if (state !== 'skipped') row.append(make('span', { className: 'at', textContent: `${ms} ms` }));
  return row;
}

function endOf({ outcome, reason, ms, note: text }) {
  const words = text ?? (outcome === 'exit' ? reason : 'The run has failed.');
  return make('li', { className: `end ${outcome}` }, make('div', {}, words),
    make('span', { className: 'at', textContent: `${ms} ms` }));
}

const waiting = (text) => make('li', { className: 'waiting' }, make('i'), make('div', {}, `${text} …`));

function noteOf(text, kind = '') {
  return make('p', { className: `note ${kind}` }, icon(kind ? 'info' : 'check'), make('span', { textContent: text }));
}

function say(text, kind = '') {
  status.textContent = text;
  status.className = `status ${kind}`;
}

function button(text, className, label) {
  const made = make('button', { type: 'button', className, textContent: text });
  if (label !== text) made.setAttribute('aria-label', label);
  return made;
}

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Lucide (ISC). */
const PATHS = {
  check: 'M20 6 9 17l-5-5',
  next: 'M5 12h14M12 5l7 7-7 7',
  skip: 'M5 12h14',
  info: 'M12 16v-4M12 8h.01M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20',
};

function icon(name) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', PATHS[name]);
  made.setAttribute('viewBox', '0 0 24 24');
  made.setAttribute('aria-hidden', 'true');
  made.append(path);
  return made;
}

function greet() {
  const hour = new Date().getHours();
  const time = hour < 5 ? 'night' : hour < 12 ? 'morning' : hour < 18 ? 'afternoon' : 'evening';
  document.getElementById('greeting').textContent = `Good ${time === 'night' ? 'evening' : time}, Robin`;
}

act(document.getElementById('note-run'), runNote);
greet();
load('Open this page').catch((why) => say(`Acme's server does not answer: ${why.message}`, 'bad'));
