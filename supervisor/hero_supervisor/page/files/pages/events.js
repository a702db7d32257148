// Events: what happens now, newest first; and the record of who has changed what.

import {badge, html, jobLink, nothing, save, table, tabs} from '../parts.js';
import {clock, count, counted} from '../format.js';
import {go} from '../router.js';
import {Rows} from '../rows.js';

const KEPT = 10_000;
// Changes are rows of different heights, so they are all in the document.
const SHOWN_CHANGES = 200;
const DRAW_EVERY_MS = 250;
const HOUR_MS = 3600 * 1000;
const TABS = {'': ['jobs', 'actors'], audit: ['audit']};
const COLUMNS = {
  '': [['time', 'time'], ['what', 'status'], ['of', 'id'], ['type'], ['caller'], ['details']],
  audit: [['time'], ['who'], ['from'], ['did'], ['to what'], ['outcome']],
};

/** Add an event behind those that were earlier: of two topics, one may still tell of the past. */
function insert(events, event) {
  let at = events.length;
  while (at > 0 && events[at - 1].at > event.at) at -= 1;
  events.splice(at, 0, event);
}

export default class Events {
  every_s = 0;
  #events = []; // the newest last
  #found = []; // those with the text that is searched for
  #number = 0; // of those found, with those that are no longer kept
  #sought = '';
  #texts = new WeakMap();
  #rows = new Rows((e) => this.#event(e));
  #ends = [];
  #drawing = false;

  constructor(page, rest, params) {
    this.page = page;
    this.tab = null;
    this.move(params);
  }

  move(params) {
    this.text = params.text ?? '';
    this.wanted = params.tab === 'audit' ? 'audit' : '';
  }

  /** Nothing is read again; but what the client may see is known only now. */
  async load() {
    const tab = this.page.may('admin') ? this.wanted : '';
    if (tab !== this.tab) this.#follow(tab);
  }

  leave() {
    for (const end of this.#ends) end();
    this.#ends = [];
  }

  #follow(tab) {
    this.leave();
    this.tab = tab;
    this.#events = [];
    this.#search('');
    // From the last hour on; changes from the first one that the store has.
    const after = tab === 'audit' ? '' : `${Date.now() - HOUR_MS}-0`;
    for (const topic of TABS[tab]) this.#ends.push(this.page.rpc.subscribe(topic, {after}, (event) => this.#take(topic, event)));
  }

  #take(topic, event) {
    if (event.event === 'following' || event.event === 'resumed' || event.event === 'gap') return;
    if (event.event === 'refused') this.page.tell(event.error.message, true);
    else this.#add({topic, ...event});
    if (this.#drawing) return;
    this.#drawing = true;
    setTimeout(() => {
      this.#drawing = false;
      if (this.page.live) this.page.update();
    }, DRAW_EVERY_MS);
  }

  #add(event) {
    insert(this.#events, event);
    if (this.#events.length > 1.2 * KEPT) this.#events.splice(0, this.#events.length - KEPT);
    if (!this.#matches(event)) return;
    insert(this.#found, event);
    this.#number += 1;
    if (this.#found.length > 1.2 * KEPT) this.#found.splice(0, this.#found.length - KEPT);
  }

  #search(text) {
    this.#sought = text;
    this.#found = this.#events.filter((e) => this.#matches(e));
    this.#number = this.#found.length;
  }

  #matches(event) {
    if (!this.#sought) return true;
    // It is searched again for each letter that is typed.
    if (!this.#texts.has(event)) this.#texts.set(event, JSON.stringify(event).toLowerCase());
    return this.#texts.get(event).includes(this.#sought);
  }

  view() {
    const wanted = this.text.toLowerCase();
    if (wanted !== this.#sought) this.#search(wanted);
    const audit = this.tab === 'audit';
    const shown = Math.min(this.#found.length, audit ? SHOWN_CHANGES : this.#rows.reach);
    const empty = wanted ? 'No match.' : audit ? 'Nothing has been changed.' : 'Nothing has happened in the last hour.';
    return html`<h1>Events</h1>
      ${this.page.may('admin') ? tabs('Kind', [['', 'Jobs and actors'], ['audit', 'Who changed what']], this.tab, (tab) => go('events', [], {tab, text: this.text})) : nothing}
      <form class="filters" role="search" @submit=${(e) => e.preventDefault()}>
        <label>Text in what is shown <input data-search .value=${this.text} autocomplete="off" @input=${(e) => go('events', [], {tab: this.tab, text: e.target.value}, {replace: true})}></label>
        ${audit ? html`<button type="button" @click=${() => this.#export()}>Save all</button>` : nothing}
      </form>
      ${audit
        ? table('Changes', COLUMNS.audit, this.#found.slice(-SHOWN_CHANGES).reverse().map((e) => this.#change(e)), {empty, titled: true})
        : this.#rows.view('Events', COLUMNS[''], this.#found, {number: this.#number, kind: `${this.page.utc} ${wanted}`, empty})}
      <p class="quiet">${this.#found.length > shown ? `The newest ${count(shown)} of ${count(this.#found.length)} are shown.` : audit ? '' : `${counted(this.#found.length, 'event')}${this.#events.length < KEPT ? '' : ', the newest ones'}.`}</p>`;
  }

  #event(e) {
    const more = e.job_id ? (e.context_id ?? '') : (e.reason ?? e.host ?? '');
    return html`
      <td>${clock(e.at, this.page.utc)}</td>
      <td>${e.event === 'job' ? badge(e.status) : e.event}</td>
      <td>${e.job_id ? jobLink(e.job_id) : (e.name ?? e.slot ?? e.incarnation ?? '')}</td>
      <td>${e.script_type ?? ''}</td>
      <td>${e.caller_id ?? ''}</td>
      <td title=${more}>${more}</td>`;
  }

  #change(e) {
    return html`<tr>
      <td>${clock(e.at, this.page.utc)}</td>
      <td>${e.who || html`<span class="quiet">no name</span>`}${e.scope ? `, ${e.scope}` : ''}</td>
      <td>${e.peer}</td>
      <td>${e.method}</td>
      <td class="wide"><code>${e.params}</code></td>
      <td>${e.outcome}</td>
    </tr>`;
  }

  async #export() {
    const entries = [];
    let cursor = '';
    try {
      for (;;) {
        const answer = await this.page.rpc.call('get_audit', {after: cursor, count: 1000});
        if (!answer.entries.length) break;
        entries.push(...answer.entries);
        ({cursor} = answer);
      }
    } catch (error) {
      this.page.tell(error.message, true);
      return;
    }
    save('audit.jsonl', entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''), 'application/jsonl');
  }
}
