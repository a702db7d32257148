// Metrics: what the deployment has counted over time: ends, waiting and running times, errors by kind.

import {html, table, tabs} from '../parts.js';
import {Chart} from '../chart.js';
import {clock, count, duration} from '../format.js';
import {quantile, seriesOf, together, total} from '../history.js';
import {go} from '../router.js';

const SPANS = {'1h': 3600, '6h': 6 * 3600, '1d': 86400, '7d': 7 * 86400, '30d': 30 * 86400};
const NAMES = [['1h', 'hour'], ['6h', '6 hours'], ['1d', 'day'], ['7d', '7 days'], ['30d', '30 days']];

export default class Metrics {
  every_s = 15;

  constructor(page, rest, params) {
    this.page = page;
    const rate = (value) => count(Math.round(value * 100) / 100);
    this.charts = {ends: new Chart(page, 'Ended per minute', rate), wait: new Chart(page, 'Waited', duration), run: new Chart(page, 'Ran', duration)};
    this.move(params);
  }

  move(params) {
    this.span = params.span in SPANS ? params.span : '1h';
    this.type = params.type ?? '';
  }

  async load() {
    const {span} = this;
    const history = await this.page.rpc.call('get_history', {span_s: SPANS[span]});
    if (span === this.span || !this.history) this.history = history;
  }

  view() {
    const {history} = this;
    const types = history.totals.map((one) => one.script_type);
    return html`<h1>Metrics</h1>
      <div class="row">
        ${tabs('Time', NAMES, this.span, (span) => go('metrics', [], {span: span === '1h' ? '' : span, type: this.type}))}
        ${tabs('Type', [['', 'all types'], ...types.map((type) => [type, type])], this.type, (type) => go('metrics', [], {span: this.span === '1h' ? '' : this.span, type}))}
      </div>
      ${this.#charts(seriesOf(history, this.type))}
      ${table('Since the deployment began', [['type'], ...['started', 'finished', 'failed', 'stopped', 'retries', 'redelivered', 'lost', 'half waited', 'half ran'].map((name) => [name, 'number'])], history.totals.map((t) => html`<tr>
        <th scope="row">${t.script_type}</th>
        ${[t.started, t.finished, t.failed, t.stopped, t.retries, t.redeliveries, t.lost].map((n) => html`<td class="number">${count(n)}</td>`)}
        ${[t.wait, t.run].map((one) => html`<td class="number">${this.#time(quantile(one.buckets, history.bounds_s, 0.5))}</td>`)}</tr>`), {empty: 'Nothing was counted yet.'})}
      <p class="quiet">Actors send their counts every few seconds. Waiting and running times are estimated from a histogram.</p>`;
  }

  #charts(series) {
    if (!series) return html`<p class="quiet">Nothing was counted in this time.</p>`;
    const {history} = this;
    const times = history.times_ms.map((ms) => clock(new Date(ms).toISOString(), this.page.utc).slice(0, 16));
    // The last period is not over, so its rate is over the time that has passed.
    const minutes = history.times_ms.map((ms) => Math.max(Math.min(history.resolution_s, (history.now_ms - ms) / 1000), 1) / 60);
    const rates = (values) => values.map((n, i) => n / minutes[i]);
    const times_of = (periods, share) => periods.map((buckets) => quantile(buckets, history.bounds_s, share));
    const half = (name) => [['half within', times_of(series[name], 0.5)], ['95 % within', times_of(series[name], 0.95)]];
    const kinds = Object.entries(series.errors).map(([kind, values]) => [kind, total(values)]).sort((a, b) => b[1] - a[1]);
    const sums = [['started', series.started], ['finished', series.finished], ['failed', series.failed], ['stopped', series.stopped], ['retries', series.retries], ['redelivered', series.redeliveries], ['lost', series.lost]];
    return html`<div class="charts">
        ${this.charts.ends.view(times, [['finished', rates(series.finished)], ['failed', rates(series.failed)], ['stopped', rates(series.stopped)]])}
        ${this.charts.wait.view(times, half('wait'))}
        ${this.charts.run.view(times, half('run'))}
      </div>
      <div class="columns even">
        ${table('In this time', [['what'], ['jobs', 'number']], [
          ...sums.map(([name, values]) => html`<tr><th scope="row">${name}</th><td class="number">${count(total(values))}</td></tr>`),
          ...['wait', 'run'].map((name) => html`<tr><th scope="row">${name === 'wait' ? 'half waited at most' : 'half ran at most'}</th><td class="number">${this.#time(quantile(together(series[name]), history.bounds_s, 0.5))}</td></tr>`),
        ])}
        ${table('Errors by kind', [['kind'], ['jobs', 'number']], kinds.filter(([, n]) => n).map(([kind, n]) => html`<tr><th scope="row">${kind}</th><td class="number">${count(n)}</td></tr>`), {empty: 'None.'})}
      </div>`;
  }

  #time(seconds) {
    return seconds === null ? '–' : duration(seconds);
  }
}
