// Overview: is it keeping up, is anything stuck, does anything fail, and what runs.

import {badge, html, jobLink, nothing, scriptLine, sparkline, table, when} from '../parts.js';
import {between, count, counted, duration} from '../format.js';
import {quantile, seriesOf, together, total} from '../history.js';
import {address} from '../router.js';

const HOUR_S = 3600;
const HISTORY_EVERY_MS = 20_000;
const RECENT = 8;
const waits = (n) => (n === 1 ? 'waits' : 'wait');

export default class Overview {
  every_s = 2;
  #history = null; // of the last hour, by minutes
  #hours = new Map(); // type -> its series
  #readAt = 0;
  #heads = new Map(); // type -> since when the first job of its queue is there

  constructor(page) {
    this.page = page;
  }

  async load() {
    const {rpc} = this.page;
    const old = Date.now() - this.#readAt > HISTORY_EVERY_MS;
    const [health, stats, actors, failed, active, schedules, history] = await Promise.all([
      rpc.call('health'),
      rpc.call('stats'),
      rpc.call('list_actors'),
      rpc.call('list_jobs', {status: 'error', count: RECENT}),
      rpc.call('list_active', {count: 100}),
      rpc.call('list_schedules'),
      old ? rpc.call('get_history', {span_s: HOUR_S}) : this.#history,
    ]);
    const waiting = [...new Set(stats.queues.filter((q) => q.waiting).map((q) => q.script_type))];
    this.#heads = new Map(await Promise.all(waiting.map(async (type) => {
      const {jobs} = await rpc.call('list_waiting', {filter: {script_type: type}, count: 1});
      return [type, jobs[0]?.created_at];
    })));
    Object.assign(this, {health, stats, actors, failed, active, schedules});
    if (history !== this.#history) {
      this.#history = history;
      this.#hours.clear();
      this.#readAt = Date.now();
    }
  }

  #hourOf(type) {
    if (!this.#hours.has(type)) this.#hours.set(type, this.#history && seriesOf(this.#history, type));
    return this.#hours.get(type);
  }

  #rows() {
    const types = new Set([...this.stats.queues.map((q) => q.script_type), ...this.actors.map((a) => a.script_type)]);
    return [...types].map((type) => {
      const queues = this.stats.queues.filter((q) => q.script_type === type);
      const actors = this.actors.filter((a) => a.script_type === type);
      return {
        type,
        waiting: queues.reduce((sum, q) => sum + q.waiting, 0),
        paused: queues.filter((q) => q.paused_since).length,
        actors: actors.length,
        lanes: actors.reduce((sum, a) => sum + a.lanes, 0),
        busy: actors.reduce((sum, a) => sum + a.busy, 0),
        hour: this.#hourOf(type),
        unavailable: actors.find((a) => a.unavailable)?.unavailable,
        held: actors.some((a) => a.supervised?.held),
      };
    });
  }

  #findings(rows) {
    const found = [];
    if (this.health.status !== 'ok') found.push([this.health.problem, 'heroctl doctor names the cause and the cure.']);
    for (const warning of this.health.warnings) {
      const [danger, cure] = warning.split(/; (?=set )/);
      found.push([`A setting of the store: ${danger}.`, cure ? `${cure[0].toUpperCase()}${cure.slice(1)}.` : '']);
    }
    for (const row of rows) {
      if (row.waiting && row.paused) found.push([`${counted(row.waiting, `${row.type} job`)} ${waits(row.waiting)} in a paused queue.`, 'Resume it on the page Queues.']);
      else if (row.waiting && !row.actors) found.push([`${counted(row.waiting, `${row.type} job`)} ${waits(row.waiting)}, and no ${row.type} actor is up.`, `Add an [[actors]] entry with type = "${row.type.toLowerCase()}", or start one.`]);
      if (row.unavailable) found.push([`A ${row.type} actor is up, but cannot run scripts: ${row.unavailable}`, 'Install what it names; the actor looks again every minute.']);
      if (row.held) found.push([`A ${row.type} actor crashes again and again and is held.`, 'Its log is on the page Actors.']);
    }
    if (this.stats.actors.silent) found.push([`${counted(this.stats.actors.silent, 'actor')} gave no sign of life.`, 'Its jobs are handed back when its lease ends.']);
    const now = Date.now() - 2000;
    for (const schedule of this.schedules)
      if (Date.parse(schedule.next_at) < now) found.push([`The schedule ${schedule.name} is late.`, 'A supervisor must be up that reaches the store.']);
    return found;
  }

  view() {
    const rows = this.#rows();
    const findings = this.#findings(rows);
    const waiting = rows.reduce((sum, row) => sum + row.waiting, 0);
    const longest = Math.max(0, ...[...this.#heads.values()].map((at) => between(at) ?? 0));
    const oldest = this.active.jobs.reduce((most, job) => Math.max(most, between(job.started_at) ?? 0), 0);
    return html`
      <h1>Overview</h1>
      <div class="cards">
        ${this.#card('Keeping up?', count(waiting), `${waiting === 1 ? 'job waits' : 'jobs wait'}${longest ? `, the first of them for ${duration(longest)}` : ''}`, address('jobs', [], {tab: 'waiting'}))}
        ${this.#card('Stuck?', this.active.jobs.length ? duration(oldest) : '–', 'the longest that a job runs now', address('jobs', [], {tab: 'active'}))}
        ${this.#card('Failing?', count(this.stats.dead), this.stats.dead === 1 ? 'dead letter' : 'dead letters', address('failures'))}
        ${this.#card('Slow?', this.#half(this.#hourOf('')), 'half of the last hour\'s jobs ran at most so long', address('metrics'))}
        ${this.#card('Busy?', `${count(this.stats.actors.busy)} of ${count(this.stats.actors.lanes)}`, 'lanes run a job', address('actors'))}
      </div>
      <section aria-labelledby="findings">
        <h2 id="findings">Findings</h2>
        ${findings.length
          ? html`<ul class="findings">${findings.map(([text, cure]) => html`<li><strong>${text}</strong> ${cure}</li>`)}</ul>`
          : html`<p class="quiet">No problems. The service has been up for ${duration(this.health.uptime_s)}.</p>`}
      </section>
      ${table(
        'Types',
        [['type'], ['waiting', 'number'], ['first waits', 'number'], ['running', 'number'], ['lanes', 'number'], ['actors', 'number'], ['last hour'], ['ended', 'number'], ['failed', 'number'], ['half ran', 'number'], ['state']],
        rows.map(
          (row) => html`<tr>
            <th scope="row"><a href=${address('jobs', [], {type: row.type})}>${row.type}</a></th>
            <td class="number">${count(row.waiting)}</td>
            <td class="number">${this.#heads.get(row.type) ? duration(between(this.#heads.get(row.type))) : ''}</td>
            <td class="number">${count(row.busy)}</td>
            <td class="number">${count(row.lanes)}</td>
            <td class="number">${count(row.actors)}</td>
            <td>${row.hour ? html`<a href=${address('metrics', [], {type: row.type})} aria-label=${`Metrics of ${row.type}`}>${sparkline(this.#ends(row.hour).slice(0, -1))}</a>` : nothing}</td>
            <td class="number">${row.hour ? count(total(this.#ends(row.hour))) : ''}</td>
            <td class="number">${row.hour ? count(total(row.hour.failed)) : ''}</td>
            <td class="number">${row.hour ? this.#half(row.hour) : ''}</td>
            <td>${row.paused ? html`<span class="badge" data-status="stopping">paused</span>` : nothing}</td>
          </tr>`,
        ),
        {empty: 'No actor is up, and nothing waits.'},
      )}
      ${table(
        'Newest failures',
        [['job'], ['type'], ['script'], ['error'], ['when']],
        this.failed.jobs.map(
          (job) => html`<tr>
            <td>${badge(job.status)} ${jobLink(job.id)}</td>
            <td>${job.script_type}</td>
            <td>${scriptLine(job.script)}</td>
            <td class="wide">${job.error ?? ''}</td>
            <td>${when(job.finished_at, this.page)}</td>
          </tr>`,
        ),
        {empty: 'None.'},
      )}`;
  }

  #ends(hour) {
    return hour.finished.map((n, i) => n + hour.failed[i] + hour.stopped[i]);
  }

  #half(hour) {
    const seconds = hour && quantile(together(hour.run), this.#history.bounds_s, 0.5);
    return seconds === null ? '–' : duration(seconds);
  }

  #card(question, figure, text, link) {
    return html`<a class="card" href=${link}><span>${question}</span><strong>${figure}</strong><span>${text}</span></a>`;
  }
}
