/*
 * The pages of the window in which a person signs in: its first page, the code of a device, and the
 * end of the callback.
 */
'use strict';

globalThis.grantkeepWindow = ({ find, boot, show, onPress, isTicket, isRecord, READ_MS }) => {
  /** The popup asks its opener for the ticket this often, this many times. */
  const ASK_MS = 250;
  const ASKS_MAX = 40;
  /** Between two looks at whether the product has confirmed. */
  const LOOK_MS = 1500;

  // ---- the popup's first page -----------------------------------------------------------------

  function startPage() {
    const opener = window.opener;
    const inAddress = boot.byLink && location.hash.slice(1);
    const go = () => submit(inAddress, 'link');
    onPress({ close: () => window.close(), go });
    if (isTicket(inAddress)) {
      history.replaceState(null, '', location.pathname);
      // Nothing proves who reads this: he sees who gets the access, and judges.
      return find('[data-name="ask"]') ? show('ask') : go();
    }
    if (!opener) return show('failure');
    let asked = 0;
    const timer = setInterval(ask, ASK_MS);
    function ask() {
      asked += 1;
      if (asked > ASKS_MAX) {
        clearInterval(timer);
        show('failure');
        return;
      }
      opener.postMessage({ type: 'grantkeep:ready', flow: boot.flow }, location.origin);
    }
    addEventListener('message', function take(event) {
      if (event.origin !== location.origin || event.source !== opener || !isRecord(event.data))
        return;
      const { type, flow, ticket } = event.data;
      if (type !== 'grantkeep:ticket' || flow !== boot.flow) return;
      if (!isTicket(ticket)) return;
      removeEventListener('message', take);
      clearInterval(timer);
      submit(ticket);
    });
    ask();
    function submit(ticket, by = '') {
      const form = find('#ticket');
      form.elements.ticket.value = ticket;
      form.elements.by.value = by;
      form.submit();
    }
  }

  // ---- the end of the callback ----------------------------------------------------------------

  function resultPage() {
    // The code and the state stay in no history and no address bar.
    const lasting = boot.flow && `/connect/result/${boot.flow}`;
    history.replaceState(null, '', lasting || location.pathname);
    onPress({ close: () => window.close() });
    if (boot.state === 'waiting') return lookAgain('data-view="waiting"', LOOK_MS);
    if (!boot.popup) return;
    window.opener?.postMessage({ type: 'grantkeep:done', flow: boot.flow }, location.origin);
    const done = boot.state === 'done';
    if (done || window.opener) setTimeout(() => window.close(), done ? 700 : READ_MS);
  }

  /**
   * Loads the page anew once it is another one, which has no such mark; not before, so that nothing
   * flickers and focus and selection stay.
   */
  function lookAgain(mark, wait) {
    setTimeout(async () => {
      const asked = fetch(location.pathname, { cache: 'no-store', redirect: 'manual' });
      const answer = await asked.catch(() => null);
      const text = answer ? await answer.text().catch(() => '') : '';
      const ill = answer?.status >= 500 && text.includes('data-page="error"');
      const over = answer?.type === 'opaqueredirect' || (text && !ill && !text.includes(mark));
      if (over) location.reload();
      else lookAgain(mark, wait);
    }, wait);
  }

  function devicePage() {
    lookAgain('data-page="device"', find('[data-again]').dataset.again * 1000);
  }

  return { start: startPage, device: devicePage, result: resultPage };
};
