// Parts that several pages use. All text of others goes through lit-html's bindings, which never make markup of it.

import {html, nothing} from './vendor/lit-html/lit-html.js';
import {ago, clock, firstLine} from './format.js';
import {address} from './router.js';

export {html, nothing};

/** Status words in the order of a job's life, with the mark that stands beside the colour. */
export const STATUSES = {
  created: '·',
  waiting_for_prerequisites: '⧗',
  scheduled: '◷',
  dispatched: '○',
  started: '▶',
  stopping: '◐',
  finished: '✓',
  error: '✗',
  stopped: '■',
};
export const ENDED = new Set(['finished', 'error', 'stopped']);
export const TYPES = ['OSIS', 'SAL', 'V', 'Python'];

/** The status of a job: a mark and a word; the colour only repeats them. */
export const badge = (status) =>
  html`<span class="badge" data-status=${status}><span aria-hidden="true">${STATUSES[status] ?? '?'}</span> ${status.replaceAll('_', ' ')}</span>`;

/** A link to a job. */
export const jobLink = (id, text = id) => html`<a class="id" title=${id} href=${address('job', [id])}>${text}</a>`;

/** A time: how long ago, with the exact time as its title. */
export const when = (iso, page) =>
  iso ? html`<time datetime=${iso} title=${clock(iso, page.utc)}>${ago(iso)}</time>` : nothing;

/** The first line of a script. */
export const scriptLine = (script) => html`<code class="line">${firstLine(script)}</code>`;

/** What a page shows while its data is under way, or instead of it. */
export const loading = (error) =>
  error
    ? html`<p class="problem" role="alert">${error.message}</p>`
    : html`<p class="quiet">Loading…</p>`;

/** A table with a caption; `columns` are [head, class], rows are templates of `<tr>`. */
export const table = (caption, columns, rows, empty = 'Nothing here.') => html`
  <div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table>
      <caption>${caption}</caption>
      <thead><tr>${columns.map(([head, kind]) => html`<th scope="col" class=${kind ?? ''}>${head}</th>`)}</tr></thead>
      <tbody>${rows.length ? rows : html`<tr><td colspan=${columns.length} class="quiet">${empty}</td></tr>`}</tbody>
    </table>
  </div>`;

/** A line through values, as a small picture. Purely visual: the numbers stand beside it. */
export const sparkline = (values) => {
  const top = Math.max(1, ...values);
  const step = 120 / Math.max(values.length - 1, 1);
  const points = values.map((v, i) => `${(i * step).toFixed(1)},${(23 - (v / top) * 22).toFixed(1)}`).join(' ');
  return html`<svg class="spark" viewBox="0 0 120 24" preserveAspectRatio="none" aria-hidden="true"><polyline points=${points}></polyline></svg>`;
};

/** Terminal escapes of a log line are removed, other control characters are shown. */
export const plain = (text) =>
  text
    // eslint-disable-next-line no-control-regex
    .replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, '')
    .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, (c) => String.fromCharCode(0x2400 + (c.charCodeAt(0) & 0x1f)));

/** Ask before something is destroyed or stopped. Names the act, its target and the number; resolves to yes or no. */
export function ask(question, act) {
  const dialog = document.createElement('dialog');
  const form = document.createElement('form');
  form.method = 'dialog';
  const text = document.createElement('p');
  text.textContent = question;
  text.id = 'question';
  dialog.setAttribute('aria-labelledby', 'question');
  const row = document.createElement('div');
  row.className = 'row';
  for (const [label, value] of [['Cancel', ''], [act, 'yes']]) {
    const button = document.createElement('button');
    button.textContent = label;
    button.value = value;
    if (value) button.className = 'danger';
    row.append(button);
  }
  form.append(text, row);
  dialog.append(form);
  document.body.append(dialog);
  const before = document.activeElement;
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      before?.focus?.();
      resolve(dialog.returnValue === 'yes');
    });
  });
}

/** Do something to several targets one after the other; tells how many failed and why the first one did. */
export async function each(targets, act) {
  let failed = 0;
  let first = null;
  for (const target of targets) {
    try {
      await act(target);
    } catch (error) {
      failed += 1;
      first ??= error;
    }
  }
  return {done: targets.length - failed, failed, first};
}
