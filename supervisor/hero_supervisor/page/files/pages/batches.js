// Batches: how far each is, the newest first, or one by its id; and acting on the jobs of one.

import {html, nothing, table, when} from '../parts.js';
import {count, counted} from '../format.js';
import {address, go} from '../router.js';
import {Slices} from '../rows.js';

const COUNT = 50;

export default class Batches {
  every_s = 3;
  #slices;

  constructor(page, [id]) {
    this.page = page;
    this.id = id;
    this.#slices = new Slices(page);
    this.cursors = [''];
    this.batches = [];
    this.damaged = [];
  }

  async load() {
    const {rpc} = this.page;
    if (this.id) {
      this.batch = await rpc.call('get_batch', {batch_id: this.id});
      return;
    }
    const {cursors} = this;
    const answer = await rpc.call('list_batches', {cursor: cursors.at(-1), count: COUNT});
    if (cursors !== this.cursors) return; // the page was turned meanwhile
    this.batches = answer.batches;
    this.damaged = answer.damaged;
    this.next = answer.cursor;
  }

  view() {
    return this.id ? this.#one() : this.#list();
  }

  #list() {
    return html`<h1>Batches</h1>
      <form class="filters" role="search" @submit=${(e) => this.#open(e)}>
        <label>Batch id <input name="id" data-search autocomplete="off" required></label><button>Open</button>
      </form>
      ${table('Batches', [['batch'], ['progress'], ['jobs', 'number'], ['open', 'number'], ['finished', 'number'], ['failed', 'number'], ['stopped', 'number'], ['caller'], ['began']], this.#slices.of(this.batches, this.cursors).map((b) => html`<tr>
        <th scope="row"><a class="id" href=${address('batches', [b.batch_id])}>${b.batch_id}</a></th>
        <td>${this.#bar(b)}</td>
        <td class="number">${count(b.total)}</td><td class="number">${count(b.open)}</td><td class="number">${count(b.finished)}</td>
        <td class="number">${count(b.error)}</td><td class="number">${count(b.stopped)}</td>
        <td>${b.caller_id ?? ''}</td><td>${when(b.began_at, this.page)}</td>
      </tr>`), {empty: this.next ? 'The batches of this page have expired.' : 'No batches. create_jobs makes one.', titled: true})}
      ${this.damaged.map((one) => html`<p class="problem"><span class="id">${one.id}</span> cannot be read: ${one.reason}</p>`)}
      <div class="row">
        ${this.cursors.length > 1 ? html`<button @click=${() => this.#turn(this.cursors.slice(0, -1))}>Newer</button>` : nothing}
        ${this.next ? html`<button @click=${() => this.#turn([...this.cursors, this.next])}>Older</button>` : nothing}
      </div>`;
  }

  #one() {
    const b = this.batch;
    if (!b) return nothing;
    const tab = (name, text, number) => html`<dt>${text}</dt><dd>${number ? html`<a href=${address('jobs', [], {batch: b.batch_id, tab: name})}>${count(number)}</a>` : 0}</dd>`;
    return html`<h1>Batch <span class="id">${b.batch_id}</span></h1>
      <div class="row acts">
        ${this.page.may('user') ? html`
          ${b.open > 0 ? html`<button @click=${() => this.#act('stop')}>Stop</button>` : nothing}
          ${b.error + b.stopped > 0 ? html`<button @click=${() => this.#act('retry')}>Run again</button>` : nothing}
          <button class="danger" @click=${() => this.#act('delete')}>Delete</button>` : nothing}
        <a href=${address('jobs', [], {batch: b.batch_id})}>Its jobs</a>
      </div>
      <p>${b.open > 0 ? `${counted(b.open, 'job')} of ${count(b.total)} have not ended.` : `All ${counted(b.total, 'job')} have ended.`}</p>
      <p>${this.#bar(b)}</p>
      <dl class="facts">${tab('', 'jobs', b.total)}<dt>open</dt><dd>${count(b.open)}</dd>${tab('finished', 'finished', b.finished)}${tab('error', 'failed', b.error)}${tab('stopped', 'stopped', b.stopped)}</dl>`;
  }

  #bar(b) {
    return html`<progress aria-label=${`${b.batch_id}: ${count(b.total - b.open)} of ${count(b.total)} have ended`} max=${Math.max(b.total, 1)} .value=${b.total - b.open}></progress>`;
  }

  async #act(kind) {
    await this.page.acts.begin(kind, {filter: {batch: this.id}, what: ` of the batch "${this.id}"`});
    this.page.load();
  }

  #open(event) {
    event.preventDefault();
    go('batches', [new FormData(event.target).get('id').trim()]);
  }

  #turn(cursors) {
    this.cursors = cursors;
    this.page.load();
  }
}
