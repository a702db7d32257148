// Parts that several pages use. All text of others goes through lit-html's bindings, which never make markup of it.

import {html, nothing} from './vendor/lit-html/lit-html.js';
import {ago, clock, firstLine} from './format.js';
import {address} from './router.js';

export {html, nothing};

/** Status words in the order of a job's life, with the mark that stands beside the colour. */
export const STATUSES = {
  created: '·',
  waiting_for_prerequisites: '…',
  scheduled: '◔',
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

export const columnHeads = (columns) =>
  columns.map(([head, kind]) => html`<th scope="col" class=${kind ?? ''}>${head || html`<span class="hidden">acts</span>`}</th>`);

/**
 * A table with a caption; `columns` are [head, class], rows are templates of `<tr>`.
 *
 * Options: `empty` is shown instead of rows; `titled` hides the caption where a heading above says the same.
 */
export const table = (caption, columns, rows, {empty = 'Nothing here.', titled = false} = {}) => html`
  <div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table>
      <caption class=${titled ? 'hidden' : ''}>${caption}</caption>
      <thead><tr>${columnHeads(columns)}</tr></thead>
      <tbody>${rows.length ? rows : html`<tr><td colspan=${columns.length} class="quiet">${empty}</td></tr>`}</tbody>
    </table>
  </div>`;

/** A row of buttons of which one is pressed: `choices` are [value, text]. */
export const tabs = (label, choices, chosen, choose) => html`
  <div class="tabs" role="group" aria-label=${label}>
    ${choices.map(([value, text]) => html`<button aria-pressed=${value === chosen} @click=${() => choose(value)}>${text}</button>`)}
  </div>`;

/** Write the head of its column into each cell, for narrow screens, where a row is shown as a card. */
export function labelCells(root) {
  for (const shown of root.querySelectorAll('table')) {
    const heads = [...shown.querySelectorAll('thead th')].map((th) => th.textContent.trim());
    for (const row of shown.tBodies[0].rows)
      for (const [i, cell] of [...row.cells].entries()) if (cell.dataset.label !== heads[i]) cell.dataset.label = heads[i];
  }
}

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

/** Offer a text to be saved as a file. */
export function save(name, text, type = 'text/plain') {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], {type}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
