// Objects (OSIS): contexts and their types, the objects of one type, one object with its versions, and who may do what.

import {ask} from '../dialogs.js';
import {html, jobLink, nothing, table, when} from '../parts.js';
import {count} from '../format.js';
import {address, go} from '../router.js';
import {Tree} from '../tree.js';

const COUNT = 100;

export default class Objects {
  every_s = 5;

  constructor(page, rest, params) {
    this.page = page;
    this.cursors = [''];
    this.tree = new Tree(page);
    this.move(params);
  }

  move(params) {
    if (JSON.stringify(params) !== JSON.stringify(this.params)) this.cursors = [''];
    this.params = params;
  }

  get #context() {
    return this.params.context ? {context_id: this.params.context} : {};
  }

  async load() {
    const {rpc} = this.page;
    const {type, sid, find} = this.params;
    const {params, cursors} = this;
    const found = {types: [], hint: null, rights: null, sids: null, versions: null};
    try {
      found.types = await rpc.call('list_object_types', this.#context);
    } catch (error) {
      // A client that may not see all contexts names one.
      if (error.data?.kind !== 'no_context') throw error;
      found.hint = error.data.hint;
    }
    if (params.context) {
      // Only the owner and the administrators of a context see its rights.
      found.rights = await rpc.call('get_object_rights', this.#context).catch((error) => ({refused: error.message}));
      if (type && sid) found.versions = await rpc.call('get_object_history', {type, sid, ...this.#context});
      else if (type) {
        const query = {type, cursor: cursors.at(-1), limit: COUNT, ...this.#context};
        const page = await (find ? rpc.call('find_objects', {...query, query: find}) : rpc.call('list_objects', query));
        found.sids = page.sids;
        found.next = page.cursor;
      }
    }
    if (params === this.params && cursors === this.cursors) Object.assign(this, found);
  }

  view() {
    if (!this.types) return nothing;
    const {context, type, sid} = this.params;
    const to = (params) => address('objects', [], params);
    return html`<h1>Objects</h1>
      <nav class="path" aria-label="Place"><a href=${to({})}>All contexts</a>
        ${context ? html` / <a href=${to({context})}>${context}</a>` : nothing}
        ${context && type ? html` / <a href=${to({context, type})}>${type}</a>` : nothing}
        ${sid ? html` / <span class="id">${sid}</span>` : nothing}</nav>
      ${this.versions ? this.#object() : this.sids ? this.#sids() : this.#types()}
      ${this.rights && !type ? this.#rights() : nothing}`;
  }

  #types() {
    return html`<form class="filters" role="search" @submit=${(e) => this.#openContext(e)}>
        <label>Context <input name="context" data-search required autocomplete="off" .value=${this.params.context ?? ''}></label><button>Open</button>
      </form>
      ${table('Types', [['context'], ['type'], ['objects', 'number']], this.types.map((t) => html`<tr>
        <td><a href=${address('objects', [], {context: t.context_id})}>${t.context_id}</a></td>
        <td><a href=${address('objects', [], {context: t.context_id, type: t.type})}>${t.type}</a></td>
        <td class="number">${count(t.count)}</td></tr>`), {empty: this.hint ?? 'No objects.', titled: true})}`;
  }

  #sids() {
    const {context, type, find} = this.params;
    return html`<form class="filters" role="search" @submit=${(e) => this.#find(e)}>
        <label>Find <input name="find" data-search autocomplete="off" .value=${find ?? ''} placeholder="word, word*, field:word"></label><button>Find</button>
        ${find ? html`<a href=${address('objects', [], {context, type})}>All</a>` : nothing}
      </form>
      ${table(`Objects of the type ${type}`, [['object']], this.sids.map((sid) => html`<tr><td><a class="id" href=${address('objects', [], {context, type, sid})}>${sid}</a></td></tr>`), {empty: this.next ? 'None on this page.' : 'None.', titled: true})}
      <div class="row">
        ${this.cursors.length > 1 ? html`<button @click=${() => this.#turn(this.cursors.slice(0, -1))}>Back</button>` : nothing}
        ${this.next ? html`<button @click=${() => this.#turn([...this.cursors, this.next])}>On</button>` : nothing}
      </div>`;
  }

  #object() {
    const [now] = this.versions;
    if (!now) return html`<p>It does not exist.</p>`;
    return html`
      <div class="row acts">${this.page.may('user') ? html`<button class="danger" @click=${() => this.#delete(now)}>Delete</button>` : nothing}</div>
      <section aria-labelledby="fields"><h2 id="fields">Fields</h2>${this.tree.of(JSON.stringify(now.fields))}</section>
      ${table('Versions', [['version', 'number'], ['written'], ['by'], ['job'], ['fields']], this.versions.map((v) => html`<tr>
        <td class="number">${v.version}</td><td>${when(v.written_at, this.page)}</td><td>${v.written_by ?? 'the operator'}</td>
        <td>${v.job_id ? jobLink(v.job_id) : ''}</td><td class="wide"><code class="line">${JSON.stringify(v.fields)}</code></td></tr>`))}`;
  }

  #rights() {
    const {rights} = this;
    if (rights.refused) return html`<section aria-labelledby="rights"><h2 id="rights">Who may do what</h2><p class="quiet">${rights.refused}</p></section>`;
    const names = (list) => (list.length ? list.join(', ') : html`<span class="quiet">nobody else</span>`);
    return html`<section aria-labelledby="rights"><h2 id="rights">Who may do what</h2>
      <dl class="facts"><dt>owner</dt><dd>the caller ${this.params.context}</dd>
        <dt>admin</dt><dd>${names(rights.admin)}</dd><dt>write</dt><dd>${names(rights.write)}</dd><dt>read</dt><dd>${names(rights.read)}</dd>
        ${Object.entries(rights.groups).map(([name, members]) => html`<dt>group ${name}</dt><dd>${names(members)}</dd>`)}</dl></section>`;
  }

  #openContext(event) {
    event.preventDefault();
    go('objects', [], {context: new FormData(event.target).get('context').trim()});
  }

  #find(event) {
    event.preventDefault();
    const {context, type} = this.params;
    go('objects', [], {context, type, find: new FormData(event.target).get('find').trim()});
  }

  #turn(cursors) {
    this.cursors = cursors;
    this.page.load();
  }

  async #delete({type, sid, version}) {
    const {context} = this.params;
    if (!(await ask(`Delete the object ${sid} of the type ${type} in the context ${context}, with all its versions?`, 'Delete'))) return;
    // The version keeps a change that somebody makes meanwhile.
    if (await this.page.act('delete_object', {type, sid, version, ...this.#context}, `${sid} is deleted.`)) go('objects', [], {context, type});
  }
}
