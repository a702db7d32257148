// Schedules: when they run next, what they run; running their job now, pausing, resuming and deleting them.

import {ask} from '../dialogs.js';
import {badge, html, jobLink, nothing, scriptLine, table, when} from '../parts.js';
import {go} from '../router.js';

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
      [['name'], ['when'], ['zone'], ['next'], ['last'], ['type'], ['script'], ['']],
      this.schedules.map((s) => html`<tr>
        <th scope="row">${s.name}</th>
        <td title=${s.cron ?? ''}>${s.in_words}</td>
        <td>${s.cron ? s.tz : ''}</td><td>${s.paused ? 'paused' : when(s.next_at, this.page)}</td>
        <td>${s.last_job_id ? html`${s.last_status ? badge(s.last_status) : nothing} ${jobLink(s.last_job_id)}` : 'none yet'}</td>
        <td>${s.job.script_type ?? ''}</td><td>${scriptLine(s.job.script ?? '')}</td>
        <td class="row">${may ? html`
          <button @click=${() => this.#run(s)}>Run now</button>
          ${s.paused
            ? html`<button @click=${() => this.#act('resume_schedule', s, `${s.name} goes on.`)}>Resume</button>`
            : html`<button @click=${() => this.#act('pause_schedule', s, `${s.name} is paused.`)}>Pause</button>`}
          <button class="danger" @click=${() => this.#delete(s)}>Delete</button>` : nothing}</td>
      </tr>`),
      {empty: 'No schedules. heroctl schedule makes one.', titled: true},
    )}`;
  }

  async #run({name, job}) {
    try {
      const id = await this.page.rpc.call('create_job', {job});
      await this.page.rpc.call('start_job', {job_id: id});
      this.page.tell(`The job of ${name} runs as ${id}; the schedule goes on as before.`);
      go('job', [id]);
    } catch (error) {
      this.page.tell(error.message, true);
    }
  }

  async #act(method, schedule, told) {
    await this.page.act(method, {name: schedule.name}, told);
    this.page.load();
  }

  async #delete(schedule) {
    if (!(await ask(`Delete the schedule ${schedule.name}? Its jobs stay.`, 'Delete'))) return;
    await this.#act('delete_schedule', schedule, `${schedule.name} is deleted.`);
  }
}
