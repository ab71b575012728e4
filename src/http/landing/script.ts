/**
 * The script of the page: asks for the view every few seconds and puts its texts in place. What it
 * gets only ever becomes text or the value of an attribute, never markup.
 */
export const SCRIPT: string = `'use strict';
(() => {
  const PERIOD_MS = 3000;
  const PATIENCE_MS = 10000;
  const away = document.getElementById('away');
  const updated = document.getElementById('updated');
  let lastSeen = new Date();
  const clock = (date) => date.toLocaleTimeString([], { hour12: false });

  function fill(scope, fields) {
    const home = scope.closest('[data-list]');
    for (const element of scope.querySelectorAll('[data-text], [data-attributes]')) {
      if (element.closest('[data-list]') !== home) continue;
      const { text, attributes } = element.dataset;
      if (text !== undefined && element.textContent !== fields[text]) {
        element.textContent = fields[text];
      }
      for (const pair of attributes === undefined ? [] : attributes.split(' ')) {
        const [name, field] = pair.split(':');
        if (element.getAttribute(name) !== fields[field]) element.setAttribute(name, fields[field]);
      }
    }
  }

  function fillList(list, rows) {
    const template = list.querySelector('template');
    while (list.children.length > rows.length + 1) list.lastElementChild.remove();
    while (list.children.length <= rows.length) list.append(template.content.cloneNode(true));
    rows.forEach((row, index) => fill(list.children[index + 1], row));
  }

  function show(view) {
    fill(document.documentElement, view.page);
    for (const list of document.querySelectorAll('[data-list]')) {
      fillList(list, view[list.dataset.list]);
    }
    for (const element of document.querySelectorAll('[data-with]')) {
      element.hidden = view[element.dataset.with].length === 0;
    }
    for (const element of document.querySelectorAll('[data-without]')) {
      element.hidden = view[element.dataset.without].length > 0;
    }
  }

  function setAway(text) {
    if (away.textContent !== text) away.textContent = text;
    document.body.classList.toggle('stale', text !== '');
  }

  async function update() {
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const answer = await fetch('status.json', { cache: 'no-store', signal });
      if (!answer.ok) throw new Error(answer.statusText);
      show(await answer.json());
      lastSeen = new Date();
      updated.textContent = ', updated at ' + clock(lastSeen);
      setAway('');
    } catch {
      setAway('The exporter does not answer. The numbers are from ' + clock(lastSeen) + '.');
    }
  }

  async function loop() {
    if (!document.hidden) await update();
    setTimeout(loop, PERIOD_MS);
  }
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) update();
  });
  loop();
})();
`;
