// Actors: processes on all hosts, what they do, and starting, stopping, scaling and restarting those of this supervisor.

import {ask} from '../dialogs.js';
import {html, nothing, table, when} from '../parts.js';
import {bytes, count} from '../format.js';
import {Log} from '../log.js';
import {address} from '../router.js';

export default class Actors {
  every_s = 2;

  constructor(page) {
    this.page = page;
    this.shown = null; // slot whose log is shown
    this.log = null;
  }

  leave() {
    this.log?.end();
  }

  async load() {
    this.actors = await this.page.rpc.call('list_actors');
    const entries = [...new Set(this.actors.map((a) => a.supervised?.entry).filter(Boolean))];
    this.entries = await Promise.all(entries.map((name) => this.page.rpc.call('get_actor', {name})));
    const {shown, log} = this;
    if (shown) log.replace((await this.page.rpc.call('get_actor_logs', {name: shown, count: 200})).lines.map((line) => ({text: '', ...line})));
  }

  view() {
    const admin = this.page.may('admin');
    return html`<h1>Actors</h1>
      ${table('Entries of the config', [['entry'], ['type'], ['processes', 'number'], ['']], this.entries.map((e) => html`<tr>
        <th scope="row">${e.name}</th><td>${e.script_type}${e.group ? ` / ${e.group}` : ''}</td>
        <td class="number">${e.slots.filter((s) => s.phase === 'running').length} of ${e.count}</td>
        <td class="row">${admin ? html`
          <button aria-label=${`+1: one process more of ${e.name}`} @click=${() => this.#scale(e, e.count + 1)}>+1</button>
          <button aria-label=${`−1: one process less of ${e.name}`} ?disabled=${e.count < 1} @click=${() => this.#scale(e, e.count - 1)}>−1</button>
          <button @click=${() => this.#restart(e)}>Restart one by one</button>
          ${e.count ? html`<button class="danger" @click=${() => this.#stop(e)}>Stop</button>` : html`<button @click=${() => this.#act('start_actor', {name: e.name}, `${e.name} starts.`)}>Start</button>`}` : nothing}</td>
      </tr>`), {empty: 'This supervisor has no actors.'})}
      ${table('Processes', [['actor'], ['type'], ['host'], ['phase'], ['lanes', 'number'], ['jobs', 'number'], ['memory', 'number'], ['restarts', 'number'], ['last sign'], ['']], this.actors.map((a) => html`<tr>
        <th scope="row">${a.name}</th><td>${a.script_type}</td><td>${a.host}</td>
        <td>${a.unavailable ? html`<span class="badge" data-status="error">✗ cannot run scripts</span> ${a.unavailable}` : a.supervised?.held ? html`<span class="badge" data-status="error">✗ held</span>` : (a.supervised?.phase ?? '')}</td>
        <td class="number">${a.busy ? html`<a href=${address('jobs', [], {tab: 'active', type: a.script_type})}>${a.busy}</a>` : 0} of ${a.lanes}</td><td class="number">${count(a.jobs)}</td>
        <td class="number">${bytes(a.supervised?.rss_bytes)}</td><td class="number">${a.supervised?.restarts ?? ''}</td>
        <td>${when(a.beat_at, this.page)}</td>
        <td>${a.supervised && admin ? html`<button aria-expanded=${this.shown === a.supervised.slot} @click=${() => this.#show(a.supervised.slot)}>Log</button>` : nothing}</td>
      </tr>`), {empty: 'No actor is up.'})}
      ${this.shown ? html`<section aria-labelledby="log"><h2 id="log">Log of ${this.shown}</h2>
        ${this.log.isEmpty ? html`<p class="quiet">It has written nothing.</p>` : this.log.view()}</section>` : nothing}`;
  }

  async #act(method, params, done) {
    await this.page.act(method, params, done);
    this.page.load();
  }

  async #scale(e, n) {
    if (n < e.count && !(await ask(`Have ${n} instead of ${e.count} processes of ${e.name}? The last one finishes its jobs first.`, 'Scale'))) return;
    await this.#act('scale_actors', {name: e.name, count: n}, `${e.name} is to have ${n}.`);
  }

  async #restart(e) {
    if (!(await ask(`Restart the ${e.count} processes of ${e.name}, one by one?`, 'Restart'))) return;
    await this.#act('restart_actor', {name: e.name, wait: false}, `${e.name} restarts.`);
  }

  async #stop(e) {
    if (!(await ask(`Stop all ${e.count} processes of ${e.name}? Its jobs wait until it starts again.`, 'Stop'))) return;
    await this.#act('stop_actor', {name: e.name}, `${e.name} stops.`);
  }

  #show(slot) {
    this.shown = this.shown === slot ? null : slot;
    this.log?.end();
    this.log = this.shown ? new Log(this.page, this.shown) : null;
    this.page.load();
  }
}
