// Queues: what waits where, and pausing, resuming and purging.

import {ask} from '../dialogs.js';
import {html, nothing, table, when} from '../parts.js';
import {count, counted} from '../format.js';
import {address} from '../router.js';

export default class Queues {
  every_s = 2;

  constructor(page) {
    this.page = page;
  }

  async load() {
    this.queues = await this.page.rpc.call('list_queues');
  }

  view() {
    const may = this.page.may('admin');
    return html`<h1>Queues</h1>${table(
      'Queues',
      [['queue'], ['waiting', 'number'], ['paused'], ['']],
      this.queues.map((q) => html`<tr>
        <th scope="row"><a href=${address('jobs', [], {tab: 'waiting', type: q.script_type})}>${this.#name(q)}</a></th>
        <td class="number">${count(q.waiting)}</td>
        <td>${q.paused_since ? html`since ${when(q.paused_since, this.page)}` : nothing}</td>
        <td class="row">${may
          ? html`${q.paused_since
              ? html`<button @click=${() => this.#act('resume_queue', q, `${this.#name(q)} goes on.`)}>Resume</button>`
              : html`<button @click=${() => this.#act('pause_queue', q, `${this.#name(q)} is paused; running jobs go on.`)}>Pause</button>`}
            <button class="danger" ?disabled=${!q.waiting} @click=${() => this.#purge(q)}>Purge</button>`
          : nothing}</td>
      </tr>`),
      {titled: true},
    )}`;
  }

  #name(q) {
    return [q.script_type, q.group, q.instance].filter(Boolean).join(' / ');
  }

  #params(q) {
    return Object.fromEntries(['script_type', 'group', 'instance'].filter((k) => q[k]).map((k) => [k, q[k]]));
  }

  async #act(method, q, done) {
    await this.page.act(method, this.#params(q), done);
    this.page.load();
  }

  async #purge(q) {
    if (!(await ask(`Stop ${counted(q.waiting, 'job')} waiting in ${this.#name(q)}?`, 'Purge'))) return;
    await this.#act('purge_queue', q, (result) => `Stopped ${counted(result.stopped, 'job')}.`);
  }
}
