// The log of a job or an actor: it takes thousands of lines a second, follows its end, searches and is saved as a file.
//
// Lines are added to the document directly, a bounded number per frame, so that no turn of the browser's loop takes long.
// They are text nodes, and so never markup. They stand in blocks, which the browser lays out only while they are in sight;
// it still finds text in all of them, and long lines may wrap, as in a list that has only what is in sight they could not.

import {html, nothing} from './vendor/lit-html/lit-html.js';
import {count} from './format.js';
import {plain, save} from './parts.js';

const MOST_LINES = 10_000;
const BLOCK_LINES = 50;
const DRAW_EVERY_MS = 100;
const LINES_A_FRAME = 200;

export class Log {
  #page;
  #name;
  #lines = []; // {at, level, text}, the newest last
  #waiting = []; // lines that are not in the document yet
  #timer = 0; // -1: the page is left
  #drawing = false; // in the next frame
  #follow = true;
  #search = '';
  #shown = 0;
  #left = 0;

  constructor(page, name) {
    this.#page = page;
    this.#name = name;
    this.element = document.createElement('pre');
    this.element.className = 'log';
    this.element.tabIndex = 0;
    this.element.setAttribute('aria-label', 'Log');
    this.element.setAttribute('role', 'group');
  }

  get isEmpty() {
    return !this.#lines.length;
  }

  /** Add a line. It is drawn soon, or once live updates go on. */
  add(line) {
    const first = !this.#lines.length;
    this.#lines.push(line);
    if (this.#lines.length > 2 * MOST_LINES) this.#cut();
    this.#waiting.push(line);
    if (this.#waiting.length > 2 * MOST_LINES) this.#waiting.splice(0, this.#waiting.length - MOST_LINES);
    if (first) this.#page.update();
    this.#drawSoon();
  }

  /** Show these lines instead of those that were added. */
  replace(lines) {
    if (lines.length === this.#lines.length && lines.at(-1)?.text === this.#lines.at(-1)?.text && lines[0]?.text === this.#lines[0]?.text) return;
    this.#lines = [...lines];
    this.#again();
  }

  view() {
    if (this.isEmpty) return nothing;
    return html`
      <div class="row">
        <label>Search <input type="search" data-search .value=${this.#search} @input=${(e) => this.#find(e.target.value)}></label>
        <label><input type="checkbox" .checked=${this.#follow} @change=${(e) => { this.#follow = e.target.checked; this.#drawSoon(); }}> Follow</label>
        <button @click=${() => save(`${this.#name}.log`, this.#lines.map((line) => this.#text(line)).join(''))}>Save</button>
        ${this.#search ? html`<span class="quiet" role="status">${count(this.#shown)} of ${count(this.#lines.length)} lines</span>` : nothing}
        ${this.#left ? html`<span class="quiet">The newest ${count(MOST_LINES)} lines are shown.</span>` : nothing}
      </div>
      ${this.element}`;
  }

  /** Draw nothing more; the page is left. */
  end() {
    clearTimeout(this.#timer);
    this.#timer = -1;
  }

  #drawSoon() {
    if (this.#timer === 0 && !this.#drawing) this.#timer = setTimeout(() => this.#drawInFrame(), DRAW_EVERY_MS);
  }

  #drawInFrame() {
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      if (this.#timer !== -1) this.#draw();
    });
  }

  #draw() {
    this.#timer = 0;
    if (!this.#page.live) {
      this.#drawSoon();
      return;
    }
    if (this.#waiting.length > MOST_LINES) this.#waiting.splice(0, this.#waiting.length - MOST_LINES);
    const few = this.#waiting.splice(0, LINES_A_FRAME).filter((line) => this.#matches(line));
    for (const line of few) this.#append(this.#node(line));
    while (this.#shown > MOST_LINES) {
      const oldest = this.element.firstChild;
      this.#shown -= oldest.childElementCount;
      this.#left += oldest.childElementCount;
      oldest.remove();
    }
    if (this.#follow && few.length) this.element.scrollTop = this.element.scrollHeight;
    if (this.#waiting.length) this.#drawInFrame();
    else if (this.#search) this.#page.update();
  }

  #append(node) {
    let block = this.element.lastChild;
    if (!block || block.childElementCount >= BLOCK_LINES) {
      block = document.createElement('code');
      this.element.append(block);
    }
    block.append(node);
    this.#shown += 1;
  }

  #find(text) {
    this.#search = text.toLowerCase();
    this.#again();
    this.#page.update();
  }

  #again() {
    this.#cut();
    this.element.replaceChildren();
    this.#shown = 0;
    this.#waiting = [...this.#lines];
    this.#drawSoon();
  }

  #cut() {
    if (this.#lines.length > MOST_LINES) this.#left += this.#lines.splice(0, this.#lines.length - MOST_LINES).length;
  }

  #matches(line) {
    return !this.#search || line.text.toLowerCase().includes(this.#search);
  }

  #text(line) {
    return `${line.at ? `${line.at.slice(11, 23)} ` : ''}${plain(line.text)}\n`;
  }

  #node(line) {
    const made = document.createElement('span');
    if (line.level) made.dataset.level = line.level;
    if (line.at) {
      const time = document.createElement('time');
      time.textContent = line.at.slice(11, 23);
      made.append(time, ' ');
    }
    made.append(`${plain(line.text)}\n`);
    return made;
  }
}
