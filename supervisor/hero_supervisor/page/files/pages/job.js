// Job: its life, script, result and log, why it does not run, and what can be done with it.

import {ask} from '../dialogs.js';
import {ENDED, badge, html, jobLink, nothing, plain, table, when} from '../parts.js';
import {between, bytes, clock, duration, prettyJson} from '../format.js';
import {graph, jobsAround} from '../graph.js';
import {Log} from '../log.js';
import {address, go} from '../router.js';
import {Tree} from '../tree.js';

// Fields that are taken over when a job is run with changes, with the values that they have if nobody gives them.
const TAKEN_OVER = {
  timeout: 300, memory_bytes: null, retries: 0, concurrent: false, env_vars: {}, script_args: [], group: null, instance: null,
  priority: 'normal', concurrency_key: null, concurrency_max: 1, rate_key: null, rate_max: 1, rate_window_s: 1,
};

export default class JobPage {
  every_s = 1;
  #end = null;
  #asText = false;

  constructor(page, [id]) {
    this.page = page;
    this.id = id;
    this.job = null;
    this.around = null;
    this.log = new Log(page, id);
    this.tree = new Tree(page);
    this.#end = page.rpc.subscribe('logs', {job_id: id}, (event) => event.event === 'line' && this.log.add(event));
  }

  leave() {
    this.#end();
    this.log.end();
  }

  async load() {
    const {rpc} = this.page;
    this.job = await rpc.call('get_job', {job_id: this.id});
    const ended = ENDED.has(this.job.status);
    this.every_s = ended ? 5 : 1;
    this.why = ended || this.job.status === 'started' ? null : await rpc.call('explain_job', {job_id: this.id});
    // The jobs around it are read anew only when something has happened to it.
    if (this.around?.status !== this.job.status) this.around = {status: this.job.status, ...(await jobsAround(rpc, this.job))};
    this.attempts = this.job.attempt > 1 || this.job.failures ? await rpc.call('get_job_attempts', {job_id: this.id}) : [];
  }

  view() {
    const {job} = this;
    if (!job) return nothing;
    return html`
      <h1>${badge(job.status)} <span class="id">${job.id}</span></h1>
      <div class="row acts">${this.#acts()}</div>
      ${this.why ? this.#why() : nothing}
      ${job.error ? html`<section class="failure" aria-label="Error"><strong>${job.error_kind}</strong>${job.error_line ? ` in line ${job.error_line}` : ''}<pre tabindex="0" aria-label="Error" role="group">${plain(job.error)}</pre></section>` : nothing}
      ${job.progress ? html`<label class="progress">${job.progress.text} <progress max=${job.progress.total} .value=${job.progress.done}></progress></label>` : nothing}
      <div class="columns">
        <section aria-labelledby="script"><h2 id="script">Script</h2>${this.#script()}</section>
        <section aria-labelledby="life"><h2 id="life">Life</h2>${this.#life()}</section>
      </div>
      ${job.output !== null ? this.#result(job.output_json ?? job.output) : nothing}
      ${this.log.isEmpty ? nothing : html`<section aria-labelledby="log"><h2 id="log">Log</h2>${this.log.view()}</section>`}
      ${this.around?.jobs.length > 1 ? html`<section aria-labelledby="around"><h2 id="around">Before and behind it</h2>${graph(this.around)}</section>` : nothing}
      ${this.attempts.length ? this.#attemptsTable() : nothing}
      <details><summary>All fields</summary><pre class="result" tabindex="0" role="group" aria-label="All fields">${JSON.stringify(job, null, 2)}</pre></details>`;
  }

  #why() {
    const {text, prerequisites, held_by: heldBy, held_actors: heldActors} = this.why;
    return html`<div class="why"><p><strong>Why it does not run:</strong> ${text}</p>
      ${prerequisites.length ? html`<ul>${prerequisites.map((p) => html`<li>${jobLink(p.job_id)} ${p.status ? badge(p.status) : 'is gone'}</li>`)}</ul>` : nothing}
      ${heldBy.length ? html`<ul>${heldBy.map((id) => html`<li>${jobLink(id)} has the place</li>`)}</ul>` : nothing}
      ${heldActors.length ? html`<ul>${heldActors.map((a) => html`<li>${a.slot}: ${a.phase}. ${a.why}</li>`)}</ul>` : nothing}</div>`;
  }

  #result(text) {
    const tree = this.#asText ? null : this.tree.of(text);
    return html`<section aria-labelledby="result"><h2 id="result">Result</h2>
      ${tree ?? html`<pre class="result" tabindex="0" role="group" aria-label="Result">${prettyJson(text)}</pre>`}
      <div class="row">
        <button @click=${() => this.#copy(text)}>Copy</button>
        ${tree || this.#asText ? html`<button aria-pressed=${this.#asText} @click=${() => { this.#asText = !this.#asText; this.page.update(); }}>As text</button>` : nothing}
      </div></section>`;
  }

  #script() {
    const lines = this.job.script.split('\n');
    return html`<pre class="script" tabindex="0" role="group" aria-label="Script">${lines.map(
      (line, i) => html`<span class=${i + 1 === this.job.error_line ? 'failing' : ''} title=${i + 1 === this.job.error_line ? 'The script failed in this line' : nothing}><span class="n" aria-hidden="true">${i + 1}</span>${line}\n</span>`,
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
      ${row('batch', job.batch && html`<a href=${address('batches', [job.batch])}>${job.batch}</a>`)}
      ${row('actor', job.owner)}
    </dl>`;
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
    const {job} = this;
    const others = Object.entries(TAKEN_OVER).filter(([name, usual]) => name in job && JSON.stringify(job[name]) !== JSON.stringify(usual));
    const kept = {script: job.script, type: job.script_type, caller: job.caller_id, context: job.context_id, fields: Object.fromEntries(others.map(([name]) => [name, job[name]]))};
    sessionStorage.setItem('hero.script', JSON.stringify(kept));
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
