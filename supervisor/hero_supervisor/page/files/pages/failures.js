// Failures: dead letters, grouped by kind and message, and acting on a group.

import {html, jobLink, nothing, table, when} from '../parts.js';
import {count, counted, normalised} from '../format.js';

const LOOKED_AT = 1000;

export default class Failures {
  every_s = 5;

  constructor(page) {
    this.page = page;
  }

  async load() {
    const {dead, total} = await this.page.rpc.call('list_dead', {first: 0, count: LOOKED_AT});
    const groups = new Map();
    for (const letter of dead) {
      const message = normalised((letter.error ?? '').split('\n')[0]);
      const key = JSON.stringify([letter.error_kind, letter.script_type, message]);
      const group = groups.get(key) ?? {kind: letter.error_kind, type: letter.script_type, message, letters: []};
      group.letters.push(letter);
      groups.set(key, group);
    }
    this.total = total;
    this.groups = [...groups.values()].sort((a, b) => b.letters.length - a.letters.length);
  }

  view() {
    const may = this.page.may('user');
    return html`<h1>Failures</h1>
      <p class="quiet">${counted(this.total, 'dead letter')}${this.total > LOOKED_AT ? `; the newest ${count(LOOKED_AT)} are grouped here` : ''}. A dead letter is a job that failed for good.</p>
      ${table('Failures by kind and message', [['jobs', 'number'], ['type'], ['kind'], ['message'], ['newest'], ['when'], ['']], this.groups.map((g) => html`<tr>
        <td class="number">${count(g.letters.length)}</td><td>${g.type ?? ''}</td><td>${g.kind ?? ''}</td><td class="wide">${g.message}</td>
        <td>${jobLink(g.letters[0].job_id)}</td><td>${when(g.letters[0].died_at, this.page)}</td>
        <td class="row">${may ? html`<button @click=${() => this.#act(g, 'retry')}>Run again</button>
          <button class="danger" @click=${() => this.#act(g, 'delete')}>Delete</button>` : nothing}</td>
      </tr>`), {empty: 'Nothing has failed.', titled: true})}`;
  }

  async #act(group, kind) {
    const ids = group.letters.map((letter) => letter.job_id);
    await this.page.acts.begin(kind, {ids, what: ` that failed with "${group.message}"`});
    this.page.load();
  }
}
