// A chart: lines over time, with a legend that shows the values under the pointer, and its highest value. The numbers
// stand in a table beside it, so the picture itself is not read out.

import {html, svg} from './vendor/lit-html/lit-html.js';
import {table} from './parts.js';
import {Slices} from './rows.js';

const WIDTH = 600;
const HEIGHT = 120;

export class Chart {
  #page;
  #title;
  #shown;
  #at = null;
  #opened = false;
  #slices;

  /** `shown` writes a value; null stands for "nothing was counted". */
  constructor(page, title, shown) {
    this.#page = page;
    this.#slices = new Slices(page);
    this.#title = title;
    this.#shown = (value) => (value === null ? '–' : shown(value));
  }

  /** `times` are texts; `lines` are [name, values], at most three, with one value or null for each time. */
  view(times, lines) {
    const top = Math.max(...lines.flatMap(([, values]) => values.map((v) => v ?? 0)), 0);
    const at = Math.min(this.#at ?? times.length - 1, times.length - 1);
    return html`<figure class="chart">
      <figcaption><strong>${this.#title}</strong> <span class="quiet">${times[at]}</span>
        ${lines.map(([name, values], i) => html`<span class="legend"><svg width="22" height="8" aria-hidden="true"><path class=${`line${i}`} d="M0 4 H22"></path></svg> ${name} ${this.#shown(values[at] ?? null)}</span> `)}
      </figcaption>
      <div class="plot" @pointermove=${(e) => this.#point(e, times.length)} @pointerleave=${() => this.#point(null)}>
        <span class="top quiet">${top ? this.#shown(top) : ''}</span>
        <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          <path class="base" d=${`M0 ${HEIGHT - 0.5} H${WIDTH}`}></path>
          ${lines.map(([, values], i) => svg`<path class=${`line${i}`} d=${this.#path(values, top || 1)}></path>`)}
          ${this.#at === null ? '' : svg`<path class="base" d=${`M${this.#x(at, times.length)} 0 V${HEIGHT}`}></path>`}
        </svg>
      </div>
      <div class="ends quiet"><span>${times[0]}</span><span>${times.at(-1)}</span></div>
      <details @toggle=${(e) => this.#open(e.target.open)}><summary>Numbers</summary>${this.#opened ? this.#numbers(times, lines) : ''}</details>
    </figure>`;
  }

  #numbers(times, lines) {
    const counted = [...times.keys()].reverse().filter((i) => lines.some(([, values]) => values[i]));
    const rows = this.#slices.of(counted, times[0]).map((i) => html`<tr>
      <th scope="row">${times[i]}</th>${lines.map(([, values]) => html`<td class="number">${this.#shown(values[i] ?? null)}</td>`)}</tr>`);
    return table(this.#title, [['time'], ...lines.map(([name]) => [name, 'number'])], rows, {empty: 'Nothing was counted.', titled: true});
  }

  #open(opened) {
    this.#opened = opened;
    this.#page.update();
  }

  #x(i, number) {
    return ((i * WIDTH) / Math.max(number - 1, 1)).toFixed(1);
  }

  #path(values, top) {
    let d = '';
    for (const [i, value] of values.entries()) {
      if (value === null) continue;
      const [x, y] = [this.#x(i, values.length), (HEIGHT - 2 - (value / top) * (HEIGHT - 6)).toFixed(1)];
      const alone = (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;
      if (alone) d += `M${Math.max(x - 6, 0)} ${y} h6 `;
      else d += `${(values[i - 1] ?? null) === null ? 'M' : 'L'}${x} ${y} `;
    }
    return d;
  }

  #point(event, number) {
    const box = event?.currentTarget.getBoundingClientRect();
    const at = event ? Math.round(((event.clientX - box.left) / box.width) * (number - 1)) : null;
    if (at === this.#at) return;
    this.#at = at;
    this.#page.update();
  }
}
