/*
 * The script of the connect pages: the list, the question and the error. Those of the sign-in's
 * window are in window.js.
 *
 * The server renders every state; this shows one at a time, calls the server, and tells the
 * embedding page the result.
 * The result is taken from the server by polling; a message from the popup only makes that sooner.
 * No message carries
 * a token, and each goes to an exact origin.
 */
(() => {
  'use strict';

  const POLL_MS = 500;
  const SLOW_POLL_MS = 1500;
  /** After this long a flow is polled less often. */
  const PATIENCE_MS = 120_000;
  /** A flow's life on the server. */
  const FLOW_MS = 600_000;
  /** A ticket lives 60 s; an older one than this is not handed out. */
  const TICKET_MS = 50_000;
  /** How long the result stays to be read. */
  const READ_MS = 1500;
  /**
   * A provider's page that cuts its opener off looks like a closed window. So nothing is said of
   * one within this long of leaving our own page.
   */
  const CUT_MS = 4000;
  /** An open window asks for its ticket at once; one that has not by then cannot reach us. */
  const CUT_OFF_MS = 2500;
  /** Checking a key may wait for the app. */
  const CALL_MS = 60_000;

  const find = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const boot = JSON.parse(find('#boot').textContent);
  const sheet = find('#sheet');
  const embedded = boot.mode === 'iframe';
  const isTicket = (it) => typeof it === 'string' && /^ctk_[\w-]{8,256}$/.test(it);
  const isText = (it) => typeof it === 'string' && it !== '';
  const isRecord = (it) => typeof it === 'object' && it !== null && !Array.isArray(it);

  const loaded = new Promise((done) => {
    if (document.readyState === 'complete') done();
    else addEventListener('load', () => done(), { once: true });
  });

  // ---- what all pages do ----------------------------------------------------------------------

  /** A logo that cannot be loaded gives way to its letter. */
  function mendLogos() {
    for (const image of all('.logo img:not([data-seen])')) {
      image.dataset.seen = '';
      const mend = () => {
        image.nextElementSibling.hidden = false;
        image.remove();
      };
      if (image.complete && image.naturalWidth === 0 && image.src) mend();
      else image.addEventListener('error', mend, { once: true });
    }
  }

  const sections = all('#views > section');
  let view = sheet.dataset.view;

  function show(name) {
    const views = find('#views');
    if (innerWidth > 480) views.style.minHeight = `${Math.min(views.offsetHeight, 300)}px`;
    for (const it of sections) it.hidden = it.dataset.name !== name;
    const heading = sections.find((it) => it.dataset.name === name).querySelector('h1');
    view = sheet.dataset.view = name;
    if (sheet.getAttribute('role') === 'dialog') sheet.setAttribute('aria-labelledby', heading.id);
    const live = find('#live');
    if (live) live.textContent = '';
    heading.focus({ preventScroll: true });
    sheet.scrollIntoView({ block: 'start' });
  }

  /** Runs what the pressed control names in `data-do`. */
  function onPress(acts) {
    document.addEventListener('click', (event) => {
      const control = event.target.closest('[data-do]');
      if (control && acts[control.dataset.do]) acts[control.dataset.do](control);
    });
  }

  function originOf(address) {
    try {
      return new URL(address).origin;
    } catch {
      return '';
    }
  }

  /** Where the embedding page may be reached: its exact origin, if the token allows it. */
  function parentOrigins() {
    const seen = location.ancestorOrigins?.[0] ?? originOf(document.referrer);
    const allowed = boot.targetOrigins ?? [];
    // A hidden referrer: the browser delivers to the one allowed origin that the parent really has,
    // or to none.
    if (allowed.length > 0) return allowed.includes(seen) ? [seen] : allowed;
    return [seen || '*'];
  }

  /** Not before our own `load`: embedding clients record their frame on it. */
  async function tellParent(message) {
    if (!embedded || window.parent === window) return;
    await loaded;
    for (const origin of parentOrigins()) window.parent.postMessage(message, origin);
  }

  // ---- the error page -------------------------------------------------------------------------

  function errorPage() {
    const close = () => tellParent({ type: 'close' });
    for (const it of all('[data-do="close"]')) it.hidden = false;
    onPress({ close });
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape') close();
    });
    tellParent({ type: 'ready' });
    tellParent({ type: 'error', error: String(boot.error ?? '') });
  }

  // ---- the question ---------------------------------------------------------------------------

  const form = find('#form');
  const go = find('#go');
  const words = Object.fromEntries(
    all('#words [data-word]').map((it) => [it.dataset.word, it.textContent]),
  );
  const say = (text) => {
    find('#live').textContent = text;
  };
  const fields = form && globalThis.grantkeepFields?.(form, words);
  /** The sign-in under way: { id, all, path, ticket, at, win, state, leftAt, timer }. */
  let flow = null;
  let busy = false;
  let dirty = false;
  let failure = null;
  let finished = false;
  let leaving = false;
  /** Of its own, so that no window which another page opened is taken for ours. */
  const windowName = `grantkeep_connect_${Math.random().toString(36).slice(2)}`;

  async function call(method, path, body, keepalive = false) {
    const headers = { authorization: `Bearer ${boot.session}` };
    if (body) headers['content-type'] = 'application/json';
    let answer;
    try {
      answer = await fetch(path, {
        method,
        headers,
        keepalive,
        body: body && JSON.stringify(body),
        credentials: 'omit',
        cache: 'no-store',
        signal: AbortSignal.timeout(CALL_MS),
      });
    } catch {
      throw { error: words.offline, code: 'offline' };
    }
    const data = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
    if (answer.ok) return isRecord(data) ? data : {};
    if (answer.status === 401 || answer.status === 410)
      throw { error: words.ended, code: 'page_ended', ...data, final: true };
    throw { error: words.offline, code: `http_${answer.status}`, ...data };
  }

  const note = (event) => {
    call('POST', '/connect/session/event', { event }, true).catch(() => {});
  };

  // -- the form

  /** Says it beside the field of that name, or above the button. */
  function fail(name, text) {
    const control = name && fields?.fail(name, text);
    if (control) return control;
    const place = find('#form-error');
    place.textContent = text;
    place.hidden = false;
    return null;
  }

  /** The values, or null after saying what is wrong with them. */
  function read() {
    find('#form-error').hidden = true;
    return fields ? fields.read() : {};
  }

  function setBusy(on) {
    busy = on;
    const label = go.firstElementChild;
    label.dataset.idle ??= label.textContent;
    label.textContent = on ? go.dataset.busy : label.dataset.idle;
    if (on) {
      go.setAttribute('aria-busy', 'true');
      say(go.dataset.busy);
    } else go.removeAttribute('aria-busy');
  }

  function onInput(event) {
    if (event.target.closest('[data-field]')) dirty = true;
  }

  function onSubmit(event) {
    event.preventDefault();
    if (busy) return;
    const values = read();
    if (!values) return;
    if (boot.kind === 'oauth') authorize(values);
    else keep(values);
  }

  /**
   * Says why something did not work: beside the field, above the button, or on a page of its own.
   */
  function refuse(problem) {
    const named =
      isRecord(problem.details) && isText(problem.details.field) ? problem.details.field : '';
    if (problem.final || (boot.kind === 'oauth' && !named && problem.code !== 'offline'))
      return fallen(problem);
    show('ask');
    (fail(named, problem.error) ?? go).focus();
  }

  async function keep(fields) {
    setBusy(true);
    note('chosen');
    try {
      const made = await call('POST', '/connect/session/account', { fields });
      if (isText(made.verify_url)) return confirm(made);
      succeed(made);
    } catch (problem) {
      setBusy(false);
      refuse(problem);
    }
  }

  /** What was typed is held until the product has said who typed it: the person goes there. */
  function confirm(made) {
    if (!/^https?:/i.test(made.verify_url)) throw { error: words.offline, code: 'bad_start' };
    dirty = false;
    if (!embedded) {
      leaving = true;
      return location.assign(made.verify_url);
    }
    setBusy(false);
    flow = { id: made.flow, all: [made.flow], at: Date.now(), win: null, state: 'held', leftAt: 0 };
    find('#to-verify').href = made.verify_url;
    show('confirm');
    say(words.held);
    watch();
  }

  // -- signing in at the app

  /** Called inside the click: some browsers open a window at no other time. */
  function openWindow() {
    if (!embedded) return null;
    const left = Math.max(0, screenX + (outerWidth - 520) / 2);
    const top = Math.max(0, screenY + (outerHeight - 720) / 2);
    const win = window.open(
      boot.window,
      windowName,
      `popup,width=520,height=720,left=${left},top=${top}`,
    );
    try {
      // What is seen until the network has brought the page.
      const { body, documentElement: root } = win.document;
      root.style.colorScheme = 'light dark';
      body.style.cssText = 'font:15px/22px system-ui;text-align:center;padding:40vh 24px 0';
      body.textContent = words.working;
    } catch {
      /* none, or an old window, still at the app */
    }
    return win;
  }

  async function authorize(fields) {
    const win = openWindow();
    setBusy(true);
    note('chosen');
    try {
      await begin(fields);
    } catch (problem) {
      win?.close();
      setBusy(false);
      return refuse(problem);
    }
    if (!embedded) return submitTicket();
    setBusy(false);
    if (finished) return win?.close();
    if (win) sendTo(win);
    else blocked();
  }

  /** The former sign-in goes on until a window has left with this one: it may be finished there. */
  async function begin(fields) {
    const body = { fields };
    const measure = form.querySelector('[name=profile]:checked')?.value || boot.scopeProfile;
    if (measure) body.scope_profile = measure;
    const made = await call('POST', '/connect/session/start', body);
    if (!isText(made.start_path) || !made.start_path.startsWith('/connect/start/'))
      throw { error: words.offline, code: 'bad_start' };
    clearTimeout(flow?.timer);
    flow = {
      id: made.flow,
      all: [...(flow?.all ?? []), made.flow],
      path: made.start_path,
      ticket: made.ticket,
      at: Date.now(),
      fields,
      win: null,
      state: 'waiting',
      leftAt: 0,
    };
  }

  /** Ends the sign-in, whichever window it may still be open in. */
  function drop() {
    clearTimeout(flow.timer);
    for (const id of flow.all)
      call('POST', '/connect/session/cancel', { flow: id }, true).catch(() => {});
    flow = null;
  }

  /** Sends the window to its first page. */
  function sendTo(win) {
    flow.win = win;
    win.location.replace(flow.path);
    win.focus();
    show('waiting');
    say(words.waiting);
    watch();
  }

  function blocked() {
    find('#by-hand').href = flow.path;
    note('window_blocked');
    show('blocked');
    watch();
  }

  async function again() {
    if (flow?.win && !flow.win.closed) {
      flow.win.focus();
      if (view === 'waiting') return;
    }
    if (view === 'closed') note('window_closed');
    authorize(flow?.fields ?? read() ?? {});
  }

  function back() {
    flow?.win?.close();
    if (flow) drop();
    show('ask');
  }

  function submitTicket() {
    leaving = true;
    const post = document.createElement('form');
    post.method = 'post';
    post.action = flow.path;
    post.hidden = true;
    const input = document.createElement('input');
    input.name = 'ticket';
    input.value = flow.ticket;
    post.append(input);
    document.body.append(post);
    post.submit();
  }

  /** Asks the server how the flow stands until it ends. */
  function watch() {
    clearTimeout(flow.timer);
    const mine = flow;
    const wait = Date.now() - mine.at > PATIENCE_MS ? SLOW_POLL_MS : POLL_MS;
    mine.timer = setTimeout(() => look(mine), wait);
  }

  async function look(mine) {
    if (flow !== mine || finished) return;
    clearTimeout(mine.timer);
    let news;
    try {
      news = await call('GET', `/connect/session/status?flow=${encodeURIComponent(mine.id)}`);
    } catch (problem) {
      if (problem.final) return fallen(problem);
      news = {};
    }
    if (flow !== mine || finished) return;
    if (news.state === 'authorizing' && mine.state !== 'authorizing') mine.leftAt = Date.now();
    if (news.state === 'opened') mine.openedAt ??= Date.now();
    if (isText(news.state)) mine.state = news.state;
    const gone = mine.state === 'authorizing';
    if ((gone && view === 'cut') || ((gone || mine.state === 'opened') && view === 'blocked'))
      show('waiting');
    if (mine.state === 'held' && view !== 'held' && view !== 'confirm') {
      show('held');
      say(words.held);
    }
    if (mine.state === 'done') {
      mine.win?.close();
      return succeed(news);
    }
    if (mine.state === 'failed') {
      mine.win?.close();
      return fallen(news);
    }
    if (mine.state !== 'held' && Date.now() - mine.at > FLOW_MS)
      return fallen({ error: words.late, code: 'flow_expired' });
    noticeClosed(mine);
    noticeCut(mine);
    if (flow === mine) watch();
  }

  /**
   * The window is open and does not ask for its ticket: the page around us keeps its windows apart
   * (Cross-Origin-Opener-Policy), so the two cannot speak.
   */
  async function noticeCut(mine) {
    const late = Date.now() - (mine.openedAt ?? Infinity) > CUT_OFF_MS;
    if (mine.met || mine.cut || mine.state !== 'opened' || !late) return;
    mine.cut = true;
    if (!boot.links) return fallen({ error: words.cut, code: 'opener_cut' });
    try {
      const made = await call('POST', '/connect/session/link', { flow: mine.id });
      if (flow !== mine || !isTicket(made.ticket)) return;
      find('#by-link').href = `${mine.path}#${made.ticket}`;
      show('cut');
    } catch (problem) {
      if (flow === mine) fallen(problem);
    }
  }

  /**
   * It may as well be open, at a page of the app that cut its opener off. So it is said as a guess,
   * and polling goes on: only the server knows for certain.
   */
  function noticeClosed(mine) {
    const early = mine.state === 'authorizing' && Date.now() - mine.leftAt < CUT_MS;
    if (mine.win?.closed && !early && view === 'waiting') show('closed');
  }

  function onMessage(event) {
    if (
      !flow ||
      event.origin !== location.origin ||
      !isRecord(event.data) ||
      event.data.flow !== flow.id
    )
      return;
    if (!isOurWindow(event.source)) return;
    if (event.data.type === 'grantkeep:ready') hand(event.source);
    if (event.data.type === 'grantkeep:done') look(flow);
  }

  /** The window that we opened, or the one that the person opened by the link on this page. */
  function isOurWindow(source) {
    if (!source || source === window || source === window.parent) return false;
    if (flow.win && source === flow.win) return true;
    try {
      return source.opener === window;
    } catch {
      return false;
    }
  }

  async function hand(win) {
    const mine = flow;
    mine.met = true;
    if (Date.now() - mine.at > TICKET_MS) {
      try {
        await begin(mine.fields);
      } catch (problem) {
        return fallen(problem);
      }
      return sendTo(win);
    }
    mine.win = win;
    win.postMessage(
      { type: 'grantkeep:ticket', flow: mine.id, ticket: mine.ticket },
      location.origin,
    );
  }

  // -- the end

  function succeed(made) {
    if (finished || !isText(made.account_id)) return;
    finished = true;
    failure = null;
    if (flow) clearTimeout(flow.timer);
    if (isText(made.account_name)) {
      find('#who bdi').textContent = made.account_name;
      find('#who').hidden = false;
    }
    if (embedded) find('#after').textContent = words.closing;
    else if (boot.successUrl) find('#after').textContent = words.going;
    show('success');
    tellParent({ type: 'success', authProvisionId: made.account_id });
    setTimeout(leave, READ_MS);
  }

  function fallen(problem) {
    failure = problem;
    if (flow) {
      clearTimeout(flow.timer);
      flow = null;
    }
    setBusy(false);
    find('#why').textContent = isText(problem.error) ? problem.error : words.offline;
    const code = isText(problem.reference) ? problem.reference : problem.code;
    find('#code').hidden = !isText(code);
    find('#code code').textContent = code ?? '';
    find('[data-do="retry"]').hidden = problem.final === true;
    show('failure');
  }

  /** Closes, or asks first when something typed would be lost. */
  function close() {
    if (!finished && dirty && view === 'ask') return show('leave');
    leave();
  }

  let left = false;
  async function leave() {
    if (left) return;
    left = true;
    if (!finished) abandon();
    if (embedded) {
      if (failure) await tellParent({ type: 'error', error: String(failure.error) });
      return tellParent({ type: 'close' });
    }
    const to = finished ? boot.successUrl : boot.errorUrl;
    leaving = true;
    if (/^https?:/i.test(to ?? '')) location.replace(to);
  }

  function abandon() {
    flow?.win?.close();
    if (flow) drop();
    note('closed');
  }

  function retry() {
    failure = null;
    show('ask');
    if (boot.kind === 'oauth' && !find('[data-field]')) return authorize({});
    go.focus();
  }

  // -- keys and focus

  function onKey(event) {
    if (event.key === 'Escape' && !event.isComposing) {
      if (view === 'leave') return show('ask');
      if (canClose && (find('.bar [data-do="close"]') || finished || failure)) close();
    }
    if (event.key === 'Tab' && embedded) keepFocus(event);
  }

  /** The page behind the dialog cannot be reached by Tab. */
  function keepFocus(event) {
    const controls = 'a[href], button, input, select, textarea, summary';
    const isShown = (it) => it.tabIndex >= 0 && (it.checkVisibility?.() ?? it.offsetParent);
    const stops = [...sheet.querySelectorAll(controls)].filter(isShown);
    const [first, last] = [stops[0], stops.at(-1)];
    const here = document.activeElement;
    const inside = stops.includes(here);
    if (event.shiftKey && (here === first || !inside)) {
      last?.focus();
      event.preventDefault();
    } else if (!event.shiftKey && here === last) {
      first?.focus();
      event.preventDefault();
    }
  }

  function connectPage() {
    form.addEventListener('input', onInput);
    form.addEventListener('submit', onSubmit);
    // Until here it could not do in a frame what it says.
    go.disabled = false;
    find('#to-list')?.addEventListener('submit', (event) => {
      flow?.win?.close();
      turn(event, '', event.target.elements.q.value);
    });
    onPress({ close, ...fields, again, back, retry, leave, stay: () => show('ask') });
    addEventListener('message', onMessage);
    settle();
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && flow && !finished) look(flow);
    });
    addEventListener('pageshow', (event) => {
      if (!event.persisted) return;
      leaving = false;
      setBusy(false);
      show('ask');
    });
    find('[aria-invalid]')?.focus();
    // Old browsers do not tell the server into what they load a page.
    if (embedded && window.parent === window)
      fallen({ error: words.alone, code: 'must_be_embedded', final: true });
  }

  /** A page of its own has nowhere to go without an address for it. */
  const canClose = embedded || /^https?:/i.test(boot.errorUrl ?? '');

  /**
   * The same page for another app, or for none, in the place of this one: Back leaves both, and
   * meets no form that would have to be sent again.
   */
  function turn(event, app, query) {
    leaving = true;
    const to = new URL(location.href);
    // What a form led to before this script ran has no such address.
    if (!to.searchParams.has('token')) return;
    event.preventDefault();
    if (app) to.searchParams.set('app', app);
    else to.searchParams.delete('app');
    to.searchParams.set('q', query);
    location.replace(to);
  }

  /** What both pages do while they are open. */
  function settle() {
    addEventListener('keydown', onKey);
    addEventListener('pagehide', () => {
      if (!finished && !left && !leaving) note('closed');
    });
    for (const it of all('[data-do="close"]')) it.hidden = !canClose;
    tellParent({ type: 'ready' });
  }

  // ---- the list of apps -----------------------------------------------------------------------

  function listPage() {
    const refuse = (problem) => fail('', problem.error);
    const list = globalThis.grantkeepList({ call, say, words, mendLogos, refuse, turn });
    addEventListener('pageshow', () => {
      leaving = false;
      find('.app[aria-busy]')?.removeAttribute('aria-busy');
    });
    onPress({ close });
    settle();
    // On a phone that would open the keyboard over the list.
    if (matchMedia('(pointer: fine)').matches) first = list.focus;
    if (!embedded) first();
  }

  /** The dialog has the focus from the start, so that it is read out and hears Esc. */
  function takeFocus() {
    const take = () => {
      if (document.activeElement === document.body) first();
    };
    addEventListener('focus', take);
    take();
  }

  let first = () => embedded && sheet.focus({ preventScroll: true });

  mendLogos();
  ({
    connect: connectPage,
    list: listPage,
    error: errorPage,
    ...globalThis.grantkeepWindow?.({ find, boot, show, onPress, isTicket, isRecord, READ_MS }),
  })[document.body.dataset.page]?.();
  if (embedded) takeFocus();
})();
