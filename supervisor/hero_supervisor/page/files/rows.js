// Long lists in short turns: `Rows` is a table of thousands of rows, of which those in sight are in the document, and
// `Slices` shows a list of some dozens in a few frames.
//
// Rows are made once, and stay as they are while they are in sight. A row that has the focus stays in the document when
// it is scrolled out of sight, so that the focus is kept. `aria-rowcount` and `aria-rowindex` tell how many there are.

import {html, render} from './vendor/lit-html/lit-html.js';
import {columnHeads} from './parts.js';

// Of a row; the style has the same number.
const ROW_PX = 29;
const BEYOND = 6; // rows that are kept ready above and below what is in sight
// Where rows are cards of different heights, as many as this are shown.
const CARDS = 50;
const SLICE = 16;

const narrow = matchMedia('(max-width: 36rem)');

export class Rows {
  #make;
  #items = [];
  #number = 0; // how many items there have been
  #made = new Map(); // item -> its row, while it is in the document
  #body = document.createElement('tbody');
  #kind = '';
  #awaited = false;

  /** `make` gives the template of the cells of an item's row. */
  constructor(make) {
    this.#make = make;
  }

  /**
   * A table of items, of which the newest, the last one, is at the top.
   *
   * `number` is how many items there have been, with those that were dropped from the beginning; when `kind` changes, all
   * rows are made anew.
   */
  view(caption, columns, items, {number = items.length, kind = '', empty}) {
    if (kind !== this.#kind) {
      this.#made.clear();
      this.#body.replaceChildren();
      this.#number = number;
    }
    this.#kind = kind;
    const more = number - this.#number;
    this.#items = items;
    this.#number = number;
    this.#place(more);
    return html`
      <div class="scroll rows" tabindex="0" role="region" aria-label=${caption} @scroll=${() => this.#soon()}>
        <table aria-rowcount=${items.length + 1}>
          <caption class="hidden">${caption}</caption>
          <thead><tr aria-rowindex="1">${columnHeads(columns)}</tr></thead>
          ${items.length ? this.#body : html`<tbody><tr><td colspan=${columns.length} class="quiet">${empty}</td></tr></tbody>`}
        </table>
      </div>`;
  }

  /** How many rows can be reached by scrolling. */
  get reach() {
    return narrow.matches ? CARDS : Infinity;
  }

  /** Follow the scroll bar, once per frame. */
  #soon() {
    if (this.#awaited) return;
    this.#awaited = true;
    requestAnimationFrame(() => {
      this.#awaited = false;
      this.#place(0);
    });
  }

  /** Put the rows in sight into the document, when so many were added at the top. */
  #place(more) {
    const scroller = this.#body.closest('.scroll');
    const all = this.#items.length;
    let top = scroller?.scrollTop ?? 0;
    // What somebody reads stays where it is while rows are added above it.
    const stays = top > 0 && more > 0 && !narrow.matches;
    if (stays) top += more * ROW_PX;
    const first = narrow.matches ? 0 : Math.max(Math.min(Math.floor(top / ROW_PX), all) - BEYOND, 0);
    const seen = narrow.matches ? CARDS : Math.ceil((scroller?.clientHeight || innerHeight) / ROW_PX) + 2 * BEYOND;
    const indexes = [];
    for (let i = first; i < Math.min(first + seen, all); i += 1) indexes.push(i);
    const focused = this.#focused();
    if (focused !== -1 && (focused < first || focused >= first + seen)) {
      if (focused < first) indexes.unshift(focused);
      else indexes.push(focused);
    }
    this.#fill(indexes, narrow.matches ? indexes.length : all);
    if (stays) scroller.scrollTop = top;
  }

  #focused() {
    const row = document.activeElement?.closest('tr');
    if (row?.parentNode !== this.#body) return -1;
    for (const [item, made] of this.#made) if (made === row) return this.#items.length - 1 - this.#items.lastIndexOf(item);
    return -1;
  }

  #fill(indexes, all) {
    const wanted = new Map(indexes.map((i) => [this.#items[this.#items.length - 1 - i], i]));
    for (const [item, row] of this.#made) {
      if (wanted.has(item)) continue;
      row.remove();
      this.#made.delete(item);
    }
    for (const gap of this.#body.querySelectorAll('tr[aria-hidden]')) gap.remove();
    let next = 0;
    let at = this.#body.firstChild;
    for (const [item, i] of wanted) {
      if (i > next) this.#body.insertBefore(gapOf(i - next), at);
      let row = this.#made.get(item);
      if (row === undefined) {
        row = document.createElement('tr');
        render(this.#make(item), row);
        this.#made.set(item, row);
      }
      row.setAttribute('aria-rowindex', i + 2);
      // Rows that are there already keep their order, so none of them is moved, which would take its focus.
      if (row === at) at = row.nextSibling;
      else this.#body.insertBefore(row, at);
      next = i + 1;
    }
    if (all > next) this.#body.append(gapOf(all - next));
  }
}

/** A row as high as so many others. */
function gapOf(number) {
  const gap = document.createElement('tr');
  gap.setAttribute('aria-hidden', 'true');
  const cell = document.createElement('td');
  cell.style.height = `${number * ROW_PX}px`;
  gap.append(cell);
  return gap;
}

/** Shows a list a few rows per frame, so that no frame has the layout of all of them. */
export class Slices {
  #page;
  #key = null;
  #shown = 0;

  constructor(page) {
    this.#page = page;
  }

  /** The rows to be drawn now; a list with another key begins anew. The rest is drawn in the next frames. */
  of(rows, key) {
    if (key !== this.#key) {
      this.#key = key;
      this.#shown = SLICE;
    }
    if (this.#shown >= rows.length) return rows;
    const now = rows.slice(0, this.#shown);
    this.#shown += SLICE;
    this.#page.update();
    return now;
  }
}
