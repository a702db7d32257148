// Schedules: when they run next, what they run, and deleting them.

import {ask, html, nothing, scriptLine, table, when} from '../parts.js';
import {duration} from '../format.js';

export default class Schedules {
  every_s = 5;

  constructor(page) {
    this.page = page;
  }

  async load() {
    this.schedules = await this.page.rpc.call('list_schedules');
  }

  view() {
    const may = this.page.may('admin');
    return html`<h1>Schedules</h1>${table(
      'Schedules',
      [['name'], ['when'], ['zone'], ['next'], ['type'], ['script'], ['']],
      this.schedules.map((s) => html`<tr>
        <th scope="row">${s.name}</th>
        <td>${s.cron ? html`<code>${s.cron}</code>` : `every ${duration(s.interval_s)}`}</td>
        <td>${s.cron ? s.tz : ''}</td><td>${s.paused ? 'paused' : when(s.next_at, this.page)}</td>
        <td>${s.job.script_type ?? ''}</td><td>${scriptLine(s.job.script ?? '')}</td>
        <td>${may ? html`<button class="danger" @click=${() => this.#delete(s)}>Delete</button>` : nothing}</td>
      </tr>`),
      {empty: 'No schedules. heroctl schedule makes one.', titled: true},
    )}`;
  }

  async #delete(schedule) {
    if (!(await ask(`Delete the schedule ${schedule.name}? Its jobs stay.`, 'Delete'))) return;
    await this.page.act('delete_schedule', {name: schedule.name}, `${schedule.name} is deleted.`);
    this.page.load();
  }
}
