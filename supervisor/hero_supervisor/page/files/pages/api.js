// API: the methods as the supervisor describes them, and a form that calls one.

import {html, nothing, table} from '../parts.js';
import {address, go} from '../router.js';

const MOST_NAMES = 8;

export default class Api {
  every_s = 0;
  #search = '';

  constructor(page, [name]) {
    this.page = page;
    this.name = name;
    this.answer = null;
  }

  async load() {
    this.document ??= await this.page.rpc.call('rpc.discover');
  }

  view() {
    const method = this.document.methods.find((m) => m.name === this.name);
    const wanted = this.#search.toLowerCase();
    const found = this.document.methods.filter((m) => m.name.includes(wanted) || (m.summary ?? '').toLowerCase().includes(wanted));
    return html`<h1>API</h1>
      <form class="filters" role="search" @submit=${(e) => e.preventDefault()}>
        <label>Method <select @change=${(e) => go('api', e.target.value ? [e.target.value] : [])}>
          <option value="">all ${this.document.methods.length}</option>
          ${this.document.methods.map((m) => html`<option ?selected=${m.name === this.name}>${m.name}</option>`)}
        </select></label>
        ${method ? nothing : html`<label>Search <input data-search autocomplete="off" @input=${(e) => { this.#search = e.target.value; this.page.update(); }}></label>`}
      </form>
      ${method ? this.#method(method) : table('Methods', [['method'], ['parameters'], ['what it does']], found.map((m) => html`<tr>
        <th scope="row"><a href=${address('api', [m.name])}>${m.name}</a></th>
        <td class="some">${this.#names(m.params)}</td>
        <td class="wide">${m.summary ?? ''}</td></tr>`), {empty: 'No match.', titled: true})}`;
  }

  #names(params) {
    const names = params.map((p) => (p.required ? p.name : `${p.name}?`));
    return names.length > MOST_NAMES ? `${names.slice(0, MOST_NAMES).join(', ')} …` : names.join(', ');
  }

  #method(method) {
    const example = method.examples?.[0];
    const params = Object.fromEntries((example?.params ?? []).map((p) => [p.name, p.value]));
    return html`
      <h2>${method.name}</h2>
      <p>${method.summary ?? ''} ${method.description ?? ''}</p>
      <dl class="functions">${method.params.map((p) => html`<dt><code>${p.name}</code>${p.required ? '' : ' (optional)'}</dt><dd>${p.description ?? p.schema?.description ?? ''}</dd>`)}</dl>
      <form class="run" @submit=${(e) => this.#call(e, method.name)}>
        <label class="editor">Parameters, as JSON <textarea name="params" rows="6" spellcheck="false" .value=${JSON.stringify(params, null, 2)}></textarea></label>
        <div class="row"><button>Call</button></div>
      </form>
      ${this.answer === null ? nothing : html`<pre class="result" tabindex="0" role="group" aria-label="Answer" aria-live="polite">${this.answer}</pre>`}`;
  }

  async #call(event, name) {
    event.preventDefault();
    try {
      const params = JSON.parse(new FormData(event.target).get('params') || '{}');
      this.answer = JSON.stringify(await this.page.rpc.call(name, params), null, 2);
    } catch (error) {
      this.answer = `${error.message}${error.data ? `\n${JSON.stringify(error.data, null, 2)}` : ''}`;
    }
    this.page.update();
  }
}
