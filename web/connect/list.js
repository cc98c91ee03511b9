/*
 * The list of apps: searched while one types, walked through with the arrow keys. Without this
 * script it is a form like any other.
 */
'use strict';

globalThis.grantkeepList = ({ call, say, words, mendLogos, refuse, turn }) => {
  /** Between the last letter and the question. */
  const WAIT_MS = 120;

  const find = (selector) => document.querySelector(selector);
  const form = find('#pick');
  const input = find('#q');
  const list = find('#apps');
  const more = find('#more');
  const options = () => [...list.querySelectorAll('.app')];
  let active = null;
  let made = 0;
  let asked = 0;
  let timer = 0;
  /** The search that has not been answered; Enter waits for it. */
  let open = null;

  // ---- what is shown --------------------------------------------------------------------------

  /** An option of the list box, which the search field walks through. */
  function dress(button) {
    button.closest('li').setAttribute('role', 'none');
    button.setAttribute('role', 'option');
    button.setAttribute('aria-selected', 'false');
    button.id = `app-${(made += 1)}`;
    button.tabIndex = -1;
  }

  function entry({ slug, name, category, logo }) {
    const item = find('#app').content.cloneNode(true).firstElementChild;
    const button = item.querySelector('.app');
    button.value = slug;
    item.querySelector('img').src = logo;
    item.querySelector('b').textContent = (/[\p{L}\p{N}]/u.exec(name)?.[0] ?? '·').toUpperCase();
    item.querySelector('.name').textContent = name;
    item.querySelector('.kind').textContent = category;
    dress(button);
    return item;
  }

  function mark(button) {
    active?.setAttribute('aria-selected', 'false');
    active = button ?? null;
    active?.setAttribute('aria-selected', 'true');
    if (active) input.setAttribute('aria-activedescendant', active.id);
    else input.removeAttribute('aria-activedescendant');
    active?.scrollIntoView({ block: 'nearest' });
  }

  function fill(found, query, from) {
    const items = found.apps.map(entry);
    if (from === 0) {
      mark(null);
      list.replaceChildren(...items);
      find('#shelf').scrollTop = 0;
      list.classList.toggle('grid', query === '');
    } else list.append(...items);
    mendLogos();
    more.hidden = found.next === null;
    more.value = found.next ?? 0;
    const none = found.total === 0;
    list.hidden = none;
    input.setAttribute('aria-expanded', String(!none));
    find('#none').hidden = !none;
    find('#none-how').hidden = query === '';
    if (none && query)
      find('#none-title').textContent = words.none.replace('{q}', `\u2068${query}\u2069`);
    if (none) say(find('#none-title').textContent);
    else say(found.total === 1 ? words.one : words.many.replace('{n}', found.total));
  }

  // ---- the search -----------------------------------------------------------------------------

  async function look(from = 0) {
    clearTimeout(timer);
    const mine = (asked += 1);
    const query = input.value.trim();
    try {
      const wish = new URLSearchParams({ q: query, from: String(from) });
      const found = await call('GET', `/connect/session/apps?${wish}`);
      // An answer to an earlier question comes too late.
      if (mine === asked && Array.isArray(found.apps)) fill(found, query, from);
    } catch (problem) {
      if (mine === asked) refuse(problem);
    } finally {
      if (mine === asked) open = null;
    }
  }

  function ask() {
    clearTimeout(timer);
    open ??= Promise.resolve();
    timer = setTimeout(() => {
      open = look();
    }, WAIT_MS);
  }

  async function onMore(event) {
    event.preventDefault();
    const first = options().length;
    await look(Number(more.value));
    mark(options()[first]);
    input.focus();
  }

  // ---- the keyboard ---------------------------------------------------------------------------

  function columns() {
    const tops = options().map((it) => it.getBoundingClientRect().top);
    const next = tops.findIndex((it) => it !== tops[0]);
    return next < 1 ? 1 : next;
  }

  function move(steps) {
    const all = options();
    if (!active) return mark(steps > 0 ? all[0] : null);
    const to = all.indexOf(active) + steps;
    if (to < 0) return mark(null);
    if (to >= all.length && !more.hidden) return more.click();
    mark(all[Math.min(to, all.length - 1)]);
  }

  async function enter() {
    if (open) {
      clearTimeout(timer);
      await look();
    }
    (active ?? (input.value.trim() ? options()[0] : null))?.click();
  }

  function onKey(event) {
    if (event.isComposing) return;
    const sideways = active && list.classList.contains('grid');
    const forward = getComputedStyle(list).direction === 'rtl' ? -1 : 1;
    if (event.key === 'ArrowDown') move(columns());
    else if (event.key === 'ArrowUp') move(-columns());
    else if (event.key === 'ArrowRight' && sideways) move(forward);
    else if (event.key === 'ArrowLeft' && sideways) move(-forward);
    else if (event.key === 'Enter') enter();
    else if (event.key === 'Escape' && input.value) {
      input.value = '';
      look();
      event.stopPropagation();
    } else return;
    event.preventDefault();
  }

  for (const it of options()) dress(it);
  list.setAttribute('role', 'listbox');
  for (const [name, value] of [
    ['role', 'combobox'],
    ['aria-autocomplete', 'list'],
    ['aria-controls', 'apps'],
    ['aria-expanded', String(options().length > 0)],
  ])
    input.setAttribute(name, value);
  input.addEventListener('input', ask);
  input.addEventListener('keydown', onKey);
  more.addEventListener('click', onMore);
  form.addEventListener('submit', (event) => {
    const name = event.submitter?.querySelector('.name')?.textContent;
    if (!name) return event.preventDefault();
    event.submitter.setAttribute('aria-busy', 'true');
    say(words.opening.replace('{app}', name));
    turn(event, event.submitter.value, input.value.trim());
  });

  return { focus: () => input.focus({ preventScroll: true }) };
};
