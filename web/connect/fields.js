/*
 * The fields of the question: what was typed is tidied, what cannot be right is told at once, a key
 * file is read. The server judges everything again.
 */
'use strict';

globalThis.grantkeepFields = (form, words) => {
  /** A longer value is taken by no field. */
  const CHARS_MAX = 16_384;

  const fields = [...form.querySelectorAll('[data-field]')];
  const controlOf = (field) =>
    field.querySelector('input:not([type=hidden], [type=file]), select, textarea');
  const fieldOf = (node) => node.closest('[data-field]');

  function fail(name, text) {
    const field = fields.find((it) => it.dataset.field === name);
    return field && blame(field, text);
  }

  function blame(field, text) {
    const place = field.querySelector('.error');
    place.textContent = text;
    place.hidden = false;
    const control = controlOf(field);
    control.setAttribute('aria-invalid', 'true');
    return control;
  }

  function clear(field) {
    field.querySelector('.error').hidden = true;
    field.querySelector('[aria-invalid]')?.removeAttribute('aria-invalid');
  }

  // ---- what was typed -------------------------------------------------------------------------

  /** The host of an address as it is pasted; empty for anything that is none. */
  function hostOf(text) {
    const [host] = text.toLowerCase().replace(/^https?:\/\//, '').split(/[/?#]/);
    return /^[a-z\d.-]+$/.test(host) ? host : '';
  }

  /** The one label of a host that is asked for. */
  function labelOf(host, { prefix = '', suffix = '' }) {
    if (!suffix || !host.endsWith(suffix)) return '';
    const label = host.slice(0, -suffix.length);
    const before = prefix.split('://')[1] ?? '';
    return label.startsWith(before) ? label.slice(before.length) : label;
  }

  /** Without the spaces that come along with a paste; a part of a host out of a whole address. */
  function tidy(control) {
    let value = control.value.trim();
    const host = hostOf(value);
    const { host: form } = control.dataset;
    if (form === 'label') value = labelOf(host, control.dataset) || value;
    if (form === 'name') value = host || value;
    if (form === 'url' && host.includes('.')) value = `https://${host}`;
    if (value !== control.value) control.value = value;
    return value;
  }

  /** Why a value cannot be right; empty where it may be. */
  function wrong(control, value) {
    if (value === '') return '';
    if ('json' in control.dataset) return noObject(value);
    const { pattern, wanted } = control.dataset;
    if (!pattern) return '';
    try {
      return new RegExp(`^(?:${pattern})$`).test(value) ? '' : wanted;
    } catch {
      // An expression of the server's that this browser does not know.
      return '';
    }
  }

  function noObject(text) {
    if (text.startsWith('-----BEGIN')) return words.pem;
    let value;
    try {
      value = JSON.parse(text);
    } catch (error) {
      return notJson(String(error.message), text);
    }
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? '' : words['no-object'];
  }

  /** Where, as far as the browser says it. */
  function notJson(message, text) {
    const at = /position (\d+)/.exec(message)?.[1];
    if (/end of|unterminated/i.test(message) || at >= text.length) return words['cut-off'];
    const line = /line (\d+)/.exec(message)?.[1] ?? (at && text.slice(0, at).split('\n').length);
    return line ? words.line.replace('{n}', line) : words['no-json'];
  }

  /** The values, or null after every wrong one is told and the first of them has the focus. */
  function read() {
    const values = {};
    let first = null;
    for (const field of fields) {
      clear(field);
      const control = controlOf(field);
      const value = control.type === 'checkbox' ? String(control.checked) : tidy(control);
      const missing = value === '' && control.required;
      const why = missing ? field.querySelector('.error').dataset.missing : wrong(control, value);
      if (why) {
        const blamed = blame(field, why);
        first ??= blamed;
      } else if (value !== '') values[field.dataset.field] = value;
    }
    first?.focus();
    return first ? null : values;
  }

  /** Settled while nothing is being pressed. */
  let released = Promise.resolve();

  function onPointerDown() {
    released = new Promise((done) => {
      for (const end of ['pointerup', 'pointercancel'])
        addEventListener(end, () => setTimeout(done), { once: true });
    });
  }

  /**
   * At the end of typing, so that nobody is told off in the middle of a word; and not while a button
   * is being pressed, which would be moved away from under the finger.
   */
  async function onChange({ target }) {
    const field = fieldOf(target);
    if (!field || controlOf(field) !== target || target.type === 'checkbox') return;
    const value = tidy(target);
    await released;
    const why = target.value === value && wrong(target, value);
    if (why) blame(field, why);
  }

  function onPaste(event) {
    const { target } = event;
    // Once it is in the field.
    if (target.dataset?.host) setTimeout(() => tidy(target));
  }

  function peek(button) {
    const box = button.closest('.box');
    const control = box.querySelector('input, textarea');
    const shown = button.getAttribute('aria-pressed') === 'true';
    if (control.type === 'textarea') box.classList.toggle('veil', shown);
    else control.type = shown ? 'password' : 'text';
    button.setAttribute('aria-pressed', String(!shown));
    control.focus();
  }

  /** Where the browser does not let us copy, it stands selected to be copied by hand. */
  function copy(button) {
    const range = document.createRange();
    range.selectNodeContents(button.previousElementSibling);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    button.textContent = document.execCommand('copy') ? button.dataset.done : button.dataset.not;
    document.querySelector('#live').textContent = button.textContent;
  }

  // ---- key files ------------------------------------------------------------------------------

  async function take(field, file) {
    if (!file) return;
    clear(field);
    const control = controlOf(field);
    if (file.size > CHARS_MAX) return blame(field, words.large).focus();
    control.value = (await file.text()).trim();
    control.dispatchEvent(new Event('input', { bubbles: true }));
    const size = Math.max(0.1, file.size / 1000).toFixed(1);
    field.querySelector('[data-picked]').textContent = `\u2068${file.name}\u2069, ${size} kB`;
    const why = wrong(control, control.value);
    if (why) blame(field, why);
    control.focus();
  }

  const pick = (button) => fieldOf(button).querySelector('[type=file]').click();

  /** A file that is dropped beside the field must not take the page's place. */
  function onDrag(event) {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    const field = fieldOf(event.target);
    const over = field && fileFields.includes(field) ? field : null;
    const leaving = event.type === 'dragleave' || event.type === 'drop';
    for (const it of fileFields) it.classList.toggle('over', it === over && !leaving);
    if (event.type === 'drop' && over) take(over, event.dataTransfer.files[0]);
  }

  for (const it of form.querySelectorAll('[data-do="peek"]')) it.hidden = false;
  const fileFields = fields.filter((it) => it.querySelector('[type=file]'));
  for (const field of fileFields) {
    field.querySelector('.file').hidden = false;
    const input = field.querySelector('[type=file]');
    input.addEventListener('change', () => {
      take(field, input.files[0]);
      input.value = '';
    });
  }
  if (fileFields.length > 0)
    for (const kind of ['dragover', 'dragleave', 'drop']) document.addEventListener(kind, onDrag);
  const copier = form.querySelector('[data-do=copy]');
  if (copier) copier.hidden = false;
  form.addEventListener('change', onChange);
  document.addEventListener('pointerdown', onPointerDown, { capture: true });
  form.addEventListener('paste', onPaste);
  form.addEventListener('input', (event) => {
    const field = fieldOf(event.target);
    if (field) clear(field);
  });

  return { read, fail, peek, pick, copy };
};
