/// <reference lib="dom" />

/**
 * Keeps the page up to date: asks for it again every few seconds and changes what differs. Runs in
 * the browser: the server sends the text of this function, which so uses nothing but itself.
 */
export function refreshPage(): void {
  const PERIOD_MS = 3000;
  const PATIENCE_MS = 10_000;
  let lastSeen = new Date();

  /** Makes an element like another, in place: focus, selection and scroll position stay. */
  function imitate(shown: Element, wanted: Element): void {
    for (const name of shown.getAttributeNames()) {
      if (!wanted.hasAttribute(name)) shown.removeAttribute(name);
    }
    for (const { name, value } of wanted.attributes) {
      if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
    }
    while (shown.childNodes.length > wanted.childNodes.length) shown.lastChild?.remove();
    for (const [index, node] of wanted.childNodes.entries()) {
      const old = shown.childNodes[index];
      if (old === undefined) shown.append(document.importNode(node, true));
      else if (!old.isEqualNode(node)) imitateNode(old, node);
    }
  }

  function imitateNode(shown: ChildNode, wanted: ChildNode): void {
    const areElements = shown instanceof Element && wanted instanceof Element;
    if (areElements && shown.tagName === wanted.tagName) imitate(shown, wanted);
    else shown.replaceWith(document.importNode(wanted, true));
  }

  function load(): Promise<Document | null> {
    return new Promise((resolve) => {
      // Not `fetch`: its text would become a document by means that the policy of the page forbids.
      const request = new XMLHttpRequest();
      request.open('GET', location.href);
      request.responseType = 'document';
      request.timeout = PATIENCE_MS;
      request.onloadend = () => resolve(request.status === 200 ? request.responseXML : null);
      request.send();
    });
  }

  function tell(id: string, text: string): void {
    const place = document.getElementById(id);
    if (place !== null && place.textContent !== text) place.textContent = text;
  }

  function show(page: Document): void {
    for (const part of ['style', 'header', 'main']) {
      const [shown, wanted] = [document, page].map((each) => each.querySelector(part));
      if (!shown || !wanted || shown.isEqualNode(wanted)) continue;
      // Another version of the exporter runs by now, with a style and a script of its own.
      if (part === 'style') location.reload();
      else imitate(shown, wanted);
    }
  }

  async function refresh(): Promise<void> {
    if (document.hidden) return;
    const clock = (): string => lastSeen.toLocaleTimeString([], { hour12: false });
    const page = await load();
    const isOurs = page?.querySelector('main #away');
    document.body.classList.toggle('stale', !isOurs);
    if (page !== null && isOurs) {
      show(page);
      lastSeen = new Date();
      tell('updated', `, updated at ${clock()}`);
    } else tell('away', `The exporter does not answer. The numbers are from ${clock()}.`);
  }

  async function repeat(): Promise<void> {
    await refresh();
    setTimeout(repeat, PERIOD_MS);
  }
  document.addEventListener('visibilitychange', () => void refresh());
  void repeat();
}

/** The script of the page. */
export const SCRIPT: string = `(${refreshPage})();`;
