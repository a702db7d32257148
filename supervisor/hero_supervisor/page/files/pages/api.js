// API: the methods as the supervisor describes them, and a form that calls one.

import {html, nothing} from '../parts.js';
import {go} from '../router.js';

export default class Api {
  every_s = 0;

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
    return html`<h1>API</h1>
      <label>Method <select data-search @change=${(e) => go('api', [e.target.value])}>
        <option value="">choose one of ${this.document.methods.length}</option>
        ${this.document.methods.map((m) => html`<option ?selected=${m.name === this.name}>${m.name}</option>`)}
      </select></label>
      ${method ? this.#method(method) : nothing}`;
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
      ${this.answer === null ? nothing : html`<pre class="result" tabindex="0" aria-live="polite">${this.answer}</pre>`}`;
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
