// Jobs: a tab per state, filters in the address, selection, and acts on what is selected.

import {TYPES, badge, html, jobLink, nothing, scriptLine, table, tabs, when} from '../parts.js';
import {between, count, counted, duration} from '../format.js';
import {go} from '../router.js';
import {Slices} from '../rows.js';

const COUNT = 50;
// Tab -> [title, method, parameters of the method, status by which an act on all of them selects].
const TABS = {
  all: ['All', 'list_jobs', {}],
  waiting: ['Waiting', 'list_waiting', {}, 'dispatched'],
  delayed: ['Delayed', 'list_delayed', {}, 'scheduled'],
  blocked: ['Blocked', 'list_blocked', {}, 'waiting_for_prerequisites'],
  active: ['Running', 'list_active', {}, 'started'],
  finished: ['Finished', 'list_jobs', {status: 'finished'}],
  error: ['Failed', 'list_jobs', {status: 'error'}],
  stopped: ['Stopped', 'list_jobs', {status: 'stopped'}],
};
// Parameter of the address -> parameter of the methods.
const FILTERS = {
  type: 'script_type',
  caller: 'caller_id',
  context: 'context_id',
  batch: 'batch',
  kind: 'error_kind',
  id: 'id_prefix',
  text: 'text',
};
const LABELS = {caller: 'Caller', context: 'Context', batch: 'Batch', kind: 'Kind of error', text: 'Text in script or error'};
// Pages that are read on when a filter leaves a page short; one page looks at a thousand jobs or more.
const MOST_PAGES = 5;

export default class Jobs {
  every_s = 3;
  #selected = new Set();
  #row = 0;
  #slices;

  constructor(page, rest, params) {
    this.page = page;
    this.#slices = new Slices(page);
    this.jobs = [];
    this.counts = {}; // of the states whose number the store keeps
    this.damaged = [];
    this.cursors = [''];
    this.move(params);
  }

  move(params) {
    this.params = params;
    this.tab = params.tab in TABS ? params.tab : 'all';
    this.cursors = [''];
  }

  get #filter() {
    const given = Object.entries(FILTERS).filter(([name]) => this.params[name]);
    return Object.fromEntries(given.map(([name, param]) => [param, this.params[name]]));
  }

  async load() {
    const [, method, fixed] = TABS[this.tab];
    const {params: wanted, cursors} = this;
    const filter = this.#filter;
    const counting = this.page.rpc.call('stats');
    counting.catch(() => {}); // awaited below, where its failure is that of the page
    const jobs = [];
    let damaged = [];
    let cursor = this.cursors.at(-1);
    for (let read = 0; read < MOST_PAGES && jobs.length < COUNT; read += 1) {
      const params = {...fixed, cursor, count: COUNT};
      if (method === 'list_jobs') Object.assign(params, filter);
      else if (Object.keys(filter).length) params.filter = filter;
      const answer = await this.page.rpc.call(method, params);
      jobs.push(...answer.jobs);
      damaged = [...damaged, ...answer.damaged];
      cursor = answer.cursor;
      if (!cursor) break;
    }
    const {queues, actors} = await counting;
    // Meanwhile somebody may have asked for other jobs, and their answer may have come before this one.
    if (wanted !== this.params || cursors !== this.cursors) return;
    this.counts = {waiting: queues.reduce((sum, q) => sum + q.waiting, 0), active: actors.busy};
    this.jobs = jobs;
    this.damaged = damaged;
    this.next = cursor;
    const present = new Set(jobs.map((job) => job.id));
    for (const id of this.#selected) if (!present.has(id)) this.#selected.delete(id);
    this.#row = Math.min(this.#row, Math.max(jobs.length - 1, 0));
  }

  view() {
    return html`
      <h1>Jobs</h1>
      ${tabs('State', Object.entries(TABS).map(([tab, [title]]) => [tab, this.counts[tab] ? `${title} ${count(this.counts[tab])}` : title]), this.tab, (tab) => go('jobs', [], {...this.params, tab: tab === 'all' ? '' : tab}))}
      <form class="filters" role="search" @submit=${(e) => this.#search(e)}>
        <label>Job id <input name="id" data-search .value=${this.params.id ?? ''} placeholder="whole, or its beginning" autocomplete="off"></label>
        <label>Type <select name="type">
          <option value="">all</option>
          ${TYPES.map((type) => html`<option ?selected=${this.params.type === type}>${type}</option>`)}
        </select></label>
        ${Object.entries(LABELS).map(
          ([name, label]) => html`<label>${label} <input name=${name} .value=${this.params[name] ?? ''} autocomplete="off"></label>`,
        )}
        <button>Search</button>
        ${Object.keys(this.#filter).length ? html`<button type="button" @click=${() => go('jobs', [], {tab: this.params.tab})}>Clear</button>` : nothing}
      </form>
      ${this.#actions()}
      ${table(TABS[this.tab][0], this.#columns(), this.#slices.of(this.jobs, `${this.tab} ${this.cursors.length}`).map((job, i) => this.#tr(job, i)), {empty: this.#empty(), titled: true})}
      ${this.damaged.length
        ? html`<p class="problem">${counted(this.damaged.length, 'record')} cannot be read: ${this.damaged.map((d) => html`<code>${d.id}</code> (${d.reason}) `)}</p>`
        : nothing}
      <div class="row">
        ${this.cursors.length > 1 ? html`<button @click=${() => this.#back()}>Newer</button>` : nothing}
        ${this.next ? html`<button @click=${() => this.#on()}>Older</button>` : nothing}
        <span class="quiet">${this.#reach()}</span>
      </div>`;
  }

  #empty() {
    return this.next ? 'No match so far; go on with "Older".' : Object.keys(this.#filter).length ? 'No job matches.' : 'No jobs.';
  }

  #reach() {
    const ended = ['all', 'finished', 'error', 'stopped'].includes(this.tab);
    return ended && !this.next ? 'Ended jobs are listed as far back as the events of the store reach; an older one is found by its id.' : '';
  }

  #columns() {
    const extra = {waiting: [['place', 'number']], delayed: [['due']], blocked: [['waits for']], active: [['actor']]}[this.tab] ?? [];
    return [
      ...(this.page.may('user') ? [[html`<span class="hidden">selected</span>`]] : []),
      ['state'], ['job'], ['type'], ['script'], ['caller'], ['context'], ...extra, ['created'], ['took', 'number'], ['attempt', 'number'], ['error'],
    ];
  }

  #tr(job, i) {
    const took = job.started_at ? duration(between(job.started_at, job.finished_at ?? undefined)) : '';
    return html`<tr class=${i === this.#row ? 'at' : ''}>
      ${this.page.may('user') ? html`<td><input type="checkbox" aria-label=${`Select ${job.id}`} .checked=${this.#selected.has(job.id)} @change=${() => this.#toggle(job.id)}></td>` : nothing}
      <td>${badge(job.status)}</td>
      <td>${jobLink(job.id)}</td>
      <td>${job.script_type}${job.group ? ` / ${job.group}` : ''}</td>
      <td>${scriptLine(job.script)}</td>
      <td>${job.caller_id}</td>
      <td>${job.context_id}</td>
      ${this.tab === 'waiting' ? html`<td class="number">${count(job.place)}</td>` : nothing}
      ${this.tab === 'delayed' ? html`<td>${when(job.due_at, this.page)}</td>` : nothing}
      ${this.tab === 'blocked' ? html`<td>${(job.prerequisites ?? []).map((id) => html`${jobLink(id)} `)}${job.concurrency_key ? `a place for ${job.concurrency_key}` : ''}</td>` : nothing}
      ${this.tab === 'active' ? html`<td>${job.actor ?? job.incarnation}${job.host ? ` on ${job.host}` : ''}</td>` : nothing}
      <td>${when(job.created_at, this.page)}</td>
      <td class="number">${took}</td>
      <td class="number">${job.attempt || ''}</td>
      <td>${job.error_kind ? html`<span title=${job.error ?? ''}>${job.error_kind}</span>` : nothing}</td>
    </tr>`;
  }

  #actions() {
    const n = this.#selected.size;
    if (!this.jobs.length || !this.page.may('user')) return nothing;
    const all = this.#all();
    return html`<div class="row acts">
      <label><input type="checkbox" .checked=${n === this.jobs.length} @change=${(e) => this.#selectAll(e.target.checked)}> Select all on this page</label>
      ${n ? html`<span>${counted(n, 'job')} selected:</span>${this.#buttons('', (kind) => this.#act(kind, {ids: [...this.#selected], what: this.#names()}))}` : nothing}
      ${!n && all ? html`<span class="quiet">All that match, on all pages:</span>${this.#buttons(' all', (kind) => this.#act(kind, {filter: all, what: ` with ${this.#words(all)}`}))}` : nothing}
    </div>`;
  }

  #buttons(suffix, act) {
    return ['stop', 'retry', 'delete'].map((kind) => html`<button class=${kind === 'delete' ? 'danger' : ''} @click=${() => act(kind)}>${this.page.acts.verb(kind)}${suffix}</button>`);
  }

  /** The filter of an act on all jobs that match; null if there is none, because that would be all jobs. */
  #all() {
    const [, , fixed, status] = TABS[this.tab];
    const filter = {...fixed, ...(status ? {status} : {}), ...this.#filter};
    return Object.keys(filter).length ? filter : null;
  }

  #words(filter) {
    return Object.entries(filter).map(([name, value]) => `${name.replace('_id', '').replaceAll('_', ' ')} "${value}"`).join(', ');
  }

  #names() {
    const ids = [...this.#selected];
    return `: ${ids.slice(0, 5).join(', ')}${ids.length > 5 ? ' …' : ''}`;
  }

  async #act(kind, target) {
    if (await this.page.acts.begin(kind, target)) this.#selected.clear();
    this.page.load();
  }

  #search(event) {
    event.preventDefault();
    const given = Object.fromEntries([...new FormData(event.target)].map(([name, value]) => [name, value.trim()]));
    go('jobs', [], {...given, tab: this.params.tab});
  }

  #toggle(id) {
    if (!this.#selected.delete(id)) this.#selected.add(id);
    this.page.update();
  }

  #selectAll(all) {
    this.#selected = new Set(all ? this.jobs.map((job) => job.id) : []);
    this.page.update();
  }

  #on() {
    this.cursors = [...this.cursors, this.next];
    this.page.load();
  }

  #back() {
    this.cursors = this.cursors.slice(0, -1);
    this.page.load();
  }

  onKey(event) {
    const job = this.jobs[this.#row];
    if (event.key === 'j') this.#row = Math.min(this.#row + 1, this.jobs.length - 1);
    else if (event.key === 'k') this.#row = Math.max(this.#row - 1, 0);
    else if (event.key === 'x' && job && this.page.may('user')) this.#toggle(job.id);
    else if (event.key === 'Enter' && job && event.target === document.body) go('job', [job.id]);
    else return;
    this.page.update().then(() => document.querySelector('tr.at')?.scrollIntoView({block: 'nearest'}));
  }
}
