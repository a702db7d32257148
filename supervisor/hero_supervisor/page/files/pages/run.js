// Run: a script, its type, and what it prints and returns, live.

import {ENDED, TYPES, badge, html, jobLink, nothing, plain} from '../parts.js';
import {prettyJson} from '../format.js';

const EXAMPLES = {
  OSIS: 'let sum = 0;\nfor n in 1..=10 { sum += n; }\nprint(`the sum is ${sum}`);\nsum',
  SAL: 'print("working");\nfor n in 0..5 { progress(n + 1, 5, `step ${n + 1}`); sleep(0.2); }\n"done"',
  V: "!!play.echo content:'hello'",
  Python: "!!play.echo content:'hello'",
};

export default class Run {
  every_s = 0;
  #lines = [];
  #end = () => {};

  constructor(page) {
    this.page = page;
    const kept = JSON.parse(sessionStorage.getItem('hero.script') ?? 'null');
    this.type = kept?.type ?? 'SAL';
    this.script = kept?.script ?? EXAMPLES.SAL;
    this.caller = kept?.caller ?? page.identity?.name ?? 'operator';
    this.context = kept?.context ?? 'default';
    this.job = null;
    this.functions = [];
  }

  async load() {
    const actors = await this.page.rpc.call('list_actors');
    const entry = actors.find((a) => a.script_type === this.type && a.supervised)?.supervised.entry;
    this.functions = entry ? await this.page.rpc.call('list_functions', {name: entry}) : [];
    if (this.job && !ENDED.has(this.job.status)) this.job = await this.page.rpc.call('get_job', {job_id: this.job.id});
    this.every_s = this.job && !ENDED.has(this.job.status) ? 0.5 : 0;
  }

  leave() {
    this.#end();
    this.#keep();
  }

  view() {
    const allowed = this.functions.filter((f) => f.allowed);
    return html`
      <h1>Run a script</h1>
      <form class="run" @submit=${(e) => this.#run(e)}>
        <div class="row">
          <label>Type <select @change=${(e) => this.#setType(e.target.value)}>${TYPES.map((t) => html`<option ?selected=${t === this.type}>${t}</option>`)}</select></label>
          <label>Caller <input .value=${this.caller} required @input=${(e) => { this.caller = e.target.value; }}></label>
          <label>Context <input .value=${this.context} required @input=${(e) => { this.context = e.target.value; }}></label>
        </div>
        <label class="editor">Script
          <textarea rows="12" spellcheck="false" .value=${this.script} @input=${(e) => { this.script = e.target.value; }} @keydown=${(e) => this.#key(e)}></textarea>
        </label>
        <div class="row"><button>Run</button><span class="quiet">Ctrl-Enter runs it, too.</span></div>
      </form>
      ${this.job ? this.#result() : nothing}
      <details><summary>${allowed.length} functions that this actor offers to scripts</summary>
        <dl class="functions">${allowed.map((f) => html`<dt><code>${f.signature}</code></dt><dd>${f.summary}</dd>`)}</dl>
        ${this.functions.length > allowed.length ? html`<p class="quiet">${this.functions.length - allowed.length} more need a setting of the actor; heroctl functions names it.</p>` : nothing}
      </details>`;
  }

  #result() {
    const {job} = this;
    return html`<section aria-labelledby="result" aria-live="polite">
      <h2 id="result">${badge(job.status)} ${jobLink(job.id)}</h2>
      ${job.progress ? html`<label class="progress">${job.progress.text} <progress max=${job.progress.total} .value=${job.progress.done}></progress></label>` : nothing}
      ${this.#lines.length ? html`<pre class="log" tabindex="0">${this.#lines.map((line) => html`<span data-level=${line.level}>${plain(line.text)}\n</span>`)}</pre>` : nothing}
      ${job.error ? html`<div class="failure"><strong>${job.error_kind}</strong>${job.error_line ? ` in line ${job.error_line}` : ''}<pre>${plain(job.error)}</pre></div>` : nothing}
      ${job.output !== null ? html`<pre class="result" tabindex="0">${prettyJson(job.output_json ?? job.output)}</pre>` : nothing}
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
    sessionStorage.setItem('hero.script', JSON.stringify({script: this.script, type: this.type, caller: this.caller, context: this.context}));
  }

  async #run(event) {
    event.preventDefault();
    this.#end();
    this.#lines = [];
    this.job = null;
    this.#keep();
    try {
      const id = await this.page.rpc.call('create_job', {script: this.script, script_type: this.type, caller_id: this.caller, context_id: this.context});
      this.#end = this.page.rpc.subscribe('logs', {job_id: id}, (line) => {
        if (line.event === 'line') this.#lines = [...this.#lines, line].slice(-500);
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
