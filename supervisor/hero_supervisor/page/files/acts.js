// Acts on many jobs: the question, the start of the act, its progress and its end, which every page shows.
//
// The supervisor goes on with an act when this page is closed. The page chooses its id and remembers it until the tab is
// closed, so that a reload shows it again, even one that comes before the answer: the same act sent again is one act.

import {html, nothing} from './vendor/lit-html/lit-html.js';
import {count, counted} from './format.js';

const ASK_EVERY_MS = 500;
const KEPT = 'hero.acts';
// An act that is not answered within this time is not sent again: whoever asked for it no longer expects it.
const SEND_WITHIN_MS = 60_000;
// Kind -> [verb, what the jobs are at the end, what happens meanwhile, whether it applies to a job in a status].
const KINDS = {
  stop: ['Stop', 'stopped', 'Stopping jobs', (status) => !['finished', 'error', 'stopped', 'stopping'].includes(status)],
  retry: ['Run again', 'started again', 'Starting jobs again', (status) => ['error', 'stopped'].includes(status)],
  delete: ['Delete', 'deleted', 'Deleting jobs', (status) => !['started', 'stopping'].includes(status)],
};

export class Acts {
  #page;
  #acts = []; // newest last: as get_act returns them; one without an answer yet has `params` and `asked_ms` beside
  #timer = 0;

  constructor(page) {
    this.#page = page;
    this.#acts = JSON.parse(sessionStorage.getItem(KEPT) ?? '[]');
  }

  /** The verb of a kind. */
  verb(kind) {
    return KINDS[kind][0];
  }

  /**
   * Ask, and act on jobs by their ids, or on all that match a filter.
   *
   * `what` says which jobs these are, behind "Stop 5 jobs". Gives whether the act has begun.
   */
  async begin(kind, {ids = null, filter = null, what = ''}) {
    const [verb, , , applies] = KINDS[kind];
    const question = ids ? {verb, what, number: ids.length} : {verb, what, counting: this.#count(filter, applies)};
    const {askMany} = await import('./dialogs.js');
    const reason = await askMany(question);
    if (reason === null) return false;
    const act = {
      act_id: newId(), kind, state: 'running', done: 0, refused: 0, problems: [], walked: 0, total: ids?.length ?? 0,
      params: {reason, ...(ids ? {job_ids: ids} : {filter})}, asked_ms: Date.now(),
    };
    this.#acts = [...this.#acts, act];
    this.#keep();
    this.#page.update();
    const sent = await this.#send(act);
    this.#acts = this.#acts.flatMap((one) => (one.act_id === act.act_id ? sent ?? [] : one));
    this.#keep();
    this.watch();
    return sent !== null;
  }

  /** Send an act. Gives what the server says of it, the act itself where no answer comes, or null where it is refused. */
  async #send(act) {
    try {
      return await this.#page.rpc.call(`${act.kind}_jobs`, {...act.params, act_id: act.act_id});
    } catch (error) {
      if (error.code === 0) return act;
      this.#page.tell(error.message, true);
      return null;
    }
  }

  /** Forget all acts, as when somebody signs out. */
  forget() {
    sessionStorage.removeItem(KEPT);
  }

  /** Ask how far the acts are that still run, until all have ended. */
  watch() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#acts.some((act) => act.state === 'running')) this.#timer = setTimeout(() => this.#look(), ASK_EVERY_MS);
    this.#page.update();
  }

  view() {
    if (!this.#acts.length) return nothing;
    return html`<section class="running" aria-label="Acts on many jobs">${this.#acts.map((act) => this.#act(act))}</section>`;
  }

  #act(act) {
    const [, past, doing] = KINDS[act.kind];
    if (act.state === 'running') {
      const name = `${doing}: ${count(act.done)} so far`;
      return html`<p><label>${name} <progress max=${Math.max(act.total, 1)} .value=${act.walked}></progress></label></p>`;
    }
    const refused = act.refused ? `; ${count(act.refused)} not, the first because: ${act.problems[0]?.reason ?? 'not told'}` : '';
    const broken = act.state === 'done' ? '' : ' The supervisor ended before it was done; begin it again for the rest.';
    return html`<p role="status" class=${refused || broken ? 'problem' : ''}>${counted(act.done, 'job')} ${past}${refused}.${broken}
      <button @click=${() => this.#drop(act)} aria-label=${`Close: ${counted(act.done, 'job')} ${past}`}>Close</button></p>`;
  }

  async *#count(filter, applies) {
    let cursor = '';
    let found = 0;
    let before = new Set();
    do {
      const page = await this.#page.rpc.call('search_jobs', {cursor, count: 1000, filter});
      const ids = new Set(page.jobs.filter((job) => applies(job.status)).map((job) => job.id));
      // While a hash table of the store grows or shrinks, a key may come twice, mostly soon after the first time.
      for (const id of ids) if (!before.has(id)) found += 1;
      before = ids;
      ({cursor} = page);
      yield {found, looked: page.walked, total: page.total};
    } while (cursor);
  }

  async #look() {
    const known = this.#acts;
    const seen = await Promise.all(known.map(async (act) => {
      if (act.state !== 'running') return act;
      if (act.params && Date.now() - act.asked_ms < SEND_WITHIN_MS) return this.#send(act);
      try {
        return await this.#page.rpc.call('get_act', {act_id: act.act_id});
      } catch (error) {
        // An act that is gone from the store has ended; anything else, such as a store that is away, passes.
        return error.data?.field === 'act_id' ? {...act, state: 'interrupted'} : act;
      }
    }));
    const byId = new Map(known.map((act, index) => [act.act_id, seen[index]]));
    const ended = known.some((act) => act.state === 'running' && byId.get(act.act_id)?.state !== 'running');
    // One that was refused is gone; one that was begun meanwhile is not among these.
    this.#acts = this.#acts.flatMap((act) => (byId.has(act.act_id) ? byId.get(act.act_id) ?? [] : act));
    this.#keep();
    if (ended) this.#page.load();
    this.watch();
  }

  #drop(act) {
    this.#acts = this.#acts.filter((one) => one.act_id !== act.act_id);
    this.#keep();
    this.#page.update();
  }

  #keep() {
    sessionStorage.setItem(KEPT, JSON.stringify(this.#acts));
  }
}

/** An id for an act; `crypto.randomUUID` is missing on pages without TLS. */
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
