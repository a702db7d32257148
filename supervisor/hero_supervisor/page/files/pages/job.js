// Job: its life, script, result and log, why it does not run, and what can be done with it.

import {ENDED, ask, badge, html, jobLink, nothing, plain, table, when} from '../parts.js';
import {between, bytes, clock, duration, prettyJson} from '../format.js';
import {go} from '../router.js';

const MOST_LINES = 1000;

export default class JobPage {
  every_s = 1;
  #lines = [];
  #end = null;
  #follow = true;
  #search = '';

  constructor(page, [id]) {
    this.page = page;
    this.id = id;
    this.job = null;
    this.#end = page.rpc.subscribe('logs', {job_id: id}, (event) => {
      if (event.event !== 'line') return;
      this.#lines.push(event);
      if (this.#lines.length > MOST_LINES) this.#lines.splice(0, this.#lines.length - MOST_LINES);
      this.#drawSoon();
    });
  }

  leave() {
    this.#end();
  }

  #drawing = false;
  #drawSoon() {
    if (this.#drawing) return;
    this.#drawing = true;
    // Not on each line: a script may print thousands a second.
    setTimeout(() => {
      this.#drawing = false;
      if (this.page.live) this.page.update();
      if (this.#follow) {
        const log = document.querySelector('.log');
        if (log) log.scrollTop = log.scrollHeight;
      }
    }, 100);
  }

  async load() {
    const {rpc} = this.page;
    this.job = await rpc.call('get_job', {job_id: this.id});
    const ended = ENDED.has(this.job.status);
    this.every_s = ended ? 5 : 1;
    this.why = ended || this.job.status === 'started' ? null : await rpc.call('explain_job', {job_id: this.id});
    this.attempts = this.job.attempt > 1 || this.job.failures ? await rpc.call('get_job_attempts', {job_id: this.id}) : [];
  }

  view() {
    const {job} = this;
    if (!job) return nothing;
    return html`
      <h1>${badge(job.status)} <span class="id">${job.id}</span></h1>
      <div class="row acts">${this.#acts()}</div>
      ${this.why ? html`<p class="why"><strong>Why it does not run:</strong> ${this.why.text}</p>` : nothing}
      ${job.error ? html`<section class="failure" aria-label="Error"><strong>${job.error_kind}</strong>${job.error_line ? ` in line ${job.error_line}` : ''}<pre>${plain(job.error)}</pre></section>` : nothing}
      ${job.progress ? html`<label class="progress">${job.progress.text} <progress max=${job.progress.total} .value=${job.progress.done}></progress></label>` : nothing}
      <div class="columns">
        <section aria-labelledby="script"><h2 id="script">Script</h2>${this.#script()}</section>
        <section aria-labelledby="life"><h2 id="life">Life</h2>${this.#life()}</section>
      </div>
      ${job.output !== null ? html`<section aria-labelledby="result"><h2 id="result">Result</h2>
        <pre class="result" tabindex="0">${prettyJson(job.output_json ?? job.output)}</pre>
        <button @click=${() => this.#copy(job.output)}>Copy</button></section>` : nothing}
      ${this.#log()}
      ${this.attempts.length ? this.#attemptsTable() : nothing}
      <details><summary>All fields</summary><pre class="result" tabindex="0">${JSON.stringify(job, null, 2)}</pre></details>`;
  }

  #script() {
    const lines = this.job.script.split('\n');
    return html`<pre class="script" tabindex="0">${lines.map(
      (line, i) => html`<span class=${i + 1 === this.job.error_line ? 'failing' : ''}><span class="n" aria-hidden="true">${i + 1}</span>${line}\n</span>`,
    )}</pre>`;
  }

  #life() {
    const {job, page} = this;
    const waited = between(job.created_at, job.started_at);
    const row = (name, value) => (value === '' || value === null || value === undefined ? nothing : html`<dt>${name}</dt><dd>${value}</dd>`);
    return html`<dl class="facts">
      ${row('created', job.created_at && html`${clock(job.created_at, page.utc)} (${when(job.created_at, page)})`)}
      ${row('started', job.started_at && html`${clock(job.started_at, page.utc)}${waited === null ? '' : `, after ${duration(waited)}`}`)}
      ${row('ended', job.finished_at && html`${clock(job.finished_at, page.utc)}, ran for ${duration(between(job.started_at, job.finished_at))}`)}
      ${row('type', `${job.script_type}${job.group ? `, group ${job.group}` : ''}`)}
      ${row('caller', job.caller_id)}
      ${row('context', job.context_id)}
      ${row('attempt', job.attempt)}
      ${row('run again because', job.rerun_reason)}
      ${row('time limit', duration(job.timeout))}
      ${row('memory limit', bytes(job.memory_bytes))}
      ${row('batch', job.batch)}
      ${row('waits for', job.prerequisites.length ? job.prerequisites.map((id) => html`${jobLink(id)} `) : '')}
      ${row('starts', job.dependents.length ? job.dependents.map((id) => html`${jobLink(id)} `) : '')}
      ${row('actor', job.owner)}
    </dl>`;
  }

  #log() {
    const shown = this.#search ? this.#lines.filter((line) => line.text.toLowerCase().includes(this.#search)) : this.#lines;
    if (!this.#lines.length) return nothing;
    return html`<section aria-labelledby="log"><h2 id="log">Log</h2>
      <div class="row">
        <label>Search <input type="search" data-search @input=${(e) => { this.#search = e.target.value.toLowerCase(); this.page.update(); }}></label>
        <label><input type="checkbox" .checked=${this.#follow} @change=${(e) => { this.#follow = e.target.checked; }}> Follow</label>
      </div>
      <pre class="log" tabindex="0">${shown.map((line) => html`<span data-level=${line.level}><time>${line.at.slice(11, 23)}</time> ${plain(line.text)}\n</span>`)}</pre>
    </section>`;
  }

  #attemptsTable() {
    return table('Attempts', [['attempt', 'number'], ['actor'], ['started'], ['ended'], ['how']], this.attempts.map((a) => html`<tr>
      <td class="number">${a.attempt}</td><td>${a.owner ?? ''}</td>
      <td>${when(a.started_at, this.page)}</td><td>${when(a.ended_at, this.page)}</td>
      <td class="wide">${[a.outcome, a.error_kind, a.error].filter(Boolean).join(': ')}</td></tr>`));
  }

  #acts() {
    const {job, page} = this;
    if (!page.may('user')) return nothing;
    const ended = ENDED.has(job.status);
    return html`
      ${ended ? nothing : html`<button @click=${() => this.#act('stop_job', 'Stop', 'The job is told to stop.')}>Stop</button>`}
      ${job.status === 'error' || job.status === 'stopped' ? html`<button @click=${() => this.#act('retry_job', 'Run again', 'The job runs again.', false)}>Run again</button>` : nothing}
      <button @click=${() => this.#change()}>Run with changes</button>
      ${ended ? html`<button class="danger" @click=${() => this.#act('delete_job', 'Delete', 'The job is deleted.')}>Delete</button>` : nothing}
      <button @click=${() => this.#copy(`heroctl show ${job.id}`)}>Copy as command</button>`;
  }

  async #act(method, verb, done, asks = true) {
    if (asks && !(await ask(`${verb} the job ${this.id}?`, verb))) return;
    if ((await this.page.act(method, {job_id: this.id}, done)) && method === 'delete_job') go('jobs');
    else this.page.load();
  }

  #change() {
    sessionStorage.setItem('hero.script', JSON.stringify({script: this.job.script, type: this.job.script_type, caller: this.job.caller_id, context: this.job.context_id}));
    go('run');
  }

  async #copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.page.tell('Copied.');
    } catch {
      // Over plain HTTP from another host, browsers refuse it.
      this.page.tell('The browser does not allow it here; select the text instead.', true);
    }
  }
}
