// Events: what happens now, newest first.

import {badge, html, jobLink, table} from '../parts.js';
import {clock} from '../format.js';

const KEPT = 500;

export default class Events {
  every_s = 0;
  #events = [];
  #ends = [];
  #drawing = false;

  constructor(page) {
    this.page = page;
    for (const topic of ['jobs', 'actors']) this.#ends.push(page.rpc.subscribe(topic, {}, (event) => this.#take(topic, event)));
  }

  leave() {
    for (const end of this.#ends) end();
  }

  #take(topic, event) {
    if (event.event === 'following') return;
    this.#events.unshift({topic, ...event});
    this.#events.length = Math.min(this.#events.length, KEPT);
    if (this.#drawing || !this.page.live) return;
    this.#drawing = true;
    setTimeout(() => {
      this.#drawing = false;
      this.page.update();
    }, 250);
  }

  view() {
    return html`<h1>Events</h1>${table(
      'Newest first',
      [['time'], ['what'], ['of'], ['details']],
      this.#events.map((e) => html`<tr>
        <td>${clock(e.at, this.page.utc)}</td>
        <td>${e.event === 'job' ? badge(e.status) : e.event}</td>
        <td>${e.job_id ? jobLink(e.job_id) : (e.name ?? e.slot ?? e.incarnation ?? '')}</td>
        <td class="wide">${e.job_id ? `${e.script_type ?? ''} ${e.caller_id ?? ''} ${e.context_id ?? ''}` : (e.reason ?? e.host ?? '')}</td>
      </tr>`),
      'Nothing has happened since this page was opened.',
    )}`;
  }
}
