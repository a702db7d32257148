// Run: a script, its type, and what it prints and returns, live.

import {ENDED, TYPES, badge, html, jobLink, nothing, plain} from '../parts.js';
import {prettyJson} from '../format.js';
import {Log} from '../log.js';

const EXAMPLES = {
  OSIS: 'let sum = 0;\nfor n in 1..=10 { sum += n; }\nprint(`the sum is ${sum}`);\nsum',
  SAL: 'print("working");\nfor n in 0..5 { progress(n + 1, 5, `step ${n + 1}`); sleep(0.2); }\n"done"',
  V: "!!play.echo content:'hello'",
  Python: "!!play.echo content:'hello'",
};

export default class Run {
  every_s = 0;
  #end = () => {};
  #search = '';

  constructor(page) {
    this.page = page;
    const kept = JSON.parse(sessionStorage.getItem('hero.script') ?? 'null');
    this.type = kept?.type ?? 'SAL';
    this.script = kept?.script ?? EXAMPLES.SAL;
    this.caller = kept?.caller ?? page.identity?.name ?? 'operator';
    this.context = kept?.context ?? 'default';
    this.fields = JSON.stringify(kept?.fields ?? {}, null, 2);
    this.job = null;
    this.log = new Log(page, 'run');
    this.functions = [];
  }

  async load() {
    const actors = await this.page.rpc.call('list_actors');
    const entry = actors.find((a) => a.script_type === this.type && a.supervised)?.supervised.entry;
    this.functions = entry ? await this.page.rpc.call('list_functions', {name: entry}) : [];
    const {job} = this;
    if (job && !ENDED.has(job.status)) {
      const seen = await this.page.rpc.call('get_job', {job_id: job.id});
      if (this.job?.id === job.id) this.job = seen; // or another one was started meanwhile
    }
    this.every_s = this.job && !ENDED.has(this.job.status) ? 0.5 : 0;
  }

  leave() {
    this.#end();
    this.log.end();
    this.#keep();
  }

  view() {
    return html`
      <h1>Run a script</h1>
      <div class="columns">
        <div>
          <form class="run" @submit=${(e) => this.#run(e)}>
            <div class="row">
              <label>Type <select @change=${(e) => this.#setType(e.target.value)}>${TYPES.map((t) => html`<option ?selected=${t === this.type}>${t}</option>`)}</select></label>
              <label>Caller <input .value=${this.caller} required @input=${(e) => { this.caller = e.target.value; }}></label>
              <label>Context <input .value=${this.context} required @input=${(e) => { this.context = e.target.value; }}></label>
            </div>
            <label class="editor">Script
              <textarea rows="14" spellcheck="false" .value=${this.script} @input=${(e) => { this.script = e.target.value; }} @keydown=${(e) => this.#key(e)}></textarea>
            </label>
            <details ?open=${this.fields !== '{}'}><summary>Other fields of the job</summary>
              <label class="editor">As JSON, such as {"timeout": 60, "env_vars": {"N": "1"}}
                <textarea rows="4" spellcheck="false" .value=${this.fields} @input=${(e) => { this.fields = e.target.value; }}></textarea></label>
            </details>
            <div class="row"><button class="main">Run</button><span class="quiet">or Ctrl-Enter</span></div>
          </form>
          ${this.job ? this.#result() : nothing}
        </div>
        ${this.#offered()}
      </div>`;
  }

  #offered() {
    const allowed = this.functions.filter((f) => f.allowed);
    const found = allowed.filter((f) => !this.#search || `${f.signature} ${f.summary}`.toLowerCase().includes(this.#search));
    const more = this.functions.length - allowed.length;
    return html`<section aria-labelledby="functions"><h2 id="functions">Functions</h2>
      ${allowed.length ? html`<label class="stacked">Search ${allowed.length} functions <input type="search" data-search @input=${(e) => { this.#search = e.target.value.toLowerCase(); this.page.update(); }}></label>
        <div class="functions" tabindex="0" role="group" aria-label="Functions"><dl>${found.map((f) => html`<dt><code>${f.signature}</code></dt><dd>${f.summary}</dd>`)}</dl></div>`
        : html`<p class="quiet">No ${this.type} actor of this supervisor is up, so its functions are not known.</p>`}
      ${more ? html`<p class="quiet">${more} more need a setting of the actor; heroctl functions names it.</p>` : nothing}</section>`;
  }

  #result() {
    const {job} = this;
    return html`<section aria-labelledby="result" aria-live="polite">
      <h2 id="result">${badge(job.status)} ${jobLink(job.id)}</h2>
      ${job.progress ? html`<label class="progress">${job.progress.text} <progress max=${job.progress.total} .value=${job.progress.done}></progress></label>` : nothing}
      ${this.log.view()}
      ${job.error ? html`<div class="failure"><strong>${job.error_kind}</strong>${job.error_line ? ` in line ${job.error_line}` : ''}<pre tabindex="0" role="group" aria-label="Error">${plain(job.error)}</pre></div>` : nothing}
      ${job.output !== null ? html`<pre class="result" tabindex="0" role="group" aria-label="Result">${prettyJson(job.output_json ?? job.output)}</pre>` : nothing}
    </section>`;
  }

  #setType(type) {
    if (this.script === EXAMPLES[this.type]) this.script = EXAMPLES[type];
    this.type = type;
    this.page.load();
  }

  #key(event) {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      event.target.form.requestSubmit();
    }
  }

  #keep() {
    sessionStorage.setItem('hero.script', JSON.stringify({script: this.script, type: this.type, caller: this.caller, context: this.context, fields: this.#fields() ?? {}}));
  }

  /** The other fields; null if they are no JSON object. */
  #fields() {
    try {
      const given = JSON.parse(this.fields.trim() || '{}');
      return given !== null && typeof given === 'object' && !Array.isArray(given) ? given : null;
    } catch {
      return null;
    }
  }

  async #run(event) {
    event.preventDefault();
    const fields = this.#fields();
    if (fields === null) {
      this.page.tell('The other fields are no JSON object.', true);
      return;
    }
    this.#end();
    this.log.end();
    this.job = null;
    this.#keep();
    try {
      const id = await this.page.rpc.call('create_job', {...fields, script: this.script, script_type: this.type, caller_id: this.caller, context_id: this.context});
      const log = new Log(this.page, id);
      this.log = log;
      this.#end = this.page.rpc.subscribe('logs', {job_id: id}, (line) => {
        if (line.event === 'line') log.add(line);
        else if (line.event === 'end') this.page.load();
      });
      await this.page.rpc.call('start_job', {job_id: id});
      this.job = await this.page.rpc.call('get_job', {job_id: id});
    } catch (error) {
      this.page.tell(error.message, true);
    }
    this.page.load();
  }
}
