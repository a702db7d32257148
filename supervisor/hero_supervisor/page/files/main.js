// The frame of the page: navigation, connection, rights, keys, and the view of the place that the address names.
//
// A view is a class with `load()`, which fetches its data, `view()`, which returns a template, and optionally
// `leave()`. Its `every_s` says how often it is loaded again while live updates are on. One object `page` carries what
// all views share: `rpc`, `identity`, `utc`, `may(scope)`, `update()`, `tell(text)`.

import {render} from './vendor/lit-html/lit-html.js';
import {Acts} from './acts.js';
import {html, labelCells, loading, nothing} from './parts.js';
import {Rpc} from './rpc.js';
import {address, go, place} from './router.js';

const PAGES = [
  ['overview', 'Overview', 'o'],
  ['jobs', 'Jobs', 'j'],
  ['run', 'Run', 'r', 'user'],
  ['queues', 'Queues', 'q'],
  ['actors', 'Actors', 'a'],
  ['failures', 'Failures', 'f'],
  ['schedules', 'Schedules', 's'],
  ['batches', 'Batches', 'b'],
  ['objects', 'Objects', 't'],
  ['metrics', 'Metrics', 'm'],
  ['events', 'Events', 'e'],
  ['api', 'API', 'i'],
];
const TITLES = {job: 'Job', ...Object.fromEntries(PAGES)};
const SCOPES = ['none', 'read', 'user', 'admin'];
const TOLD_FOR_MS = 6000;
// When data comes later than this, the page asks whether the store answers.
const SLOW_MS = 1000;

const root = document.getElementById('app');
const base = new URL('.', location.href);
// There a row of a table is a card; the style has the same number.
const narrow = matchMedia('(max-width: 36rem)');
const slim = matchMedia('(max-width: 48rem)');

const page = {
  rpc: null,
  utc: localStorage.getItem('hero.utc') === 'yes',
  live: true,
  keys: localStorage.getItem('hero.keys') !== 'no',
  get identity() {
    return this.rpc.identity;
  },
  /** Whether the supervisor allows methods of a scope; it judges each call itself, this only hides what is refused. */
  may(scope) {
    return SCOPES.indexOf(this.identity?.scope ?? 'none') >= SCOPES.indexOf(scope);
  },
  update: soon,
  /** Tell the result of an act. */
  tell(text, problem = false) {
    told = {text, problem};
    clearTimeout(toldTimer);
    toldTimer = setTimeout(() => {
      told = null;
      soon();
    }, TOLD_FOR_MS);
    soon();
  },
  /** Make a call whose failure is told. Gives whether it succeeded. */
  async act(method, params, done) {
    try {
      const result = await this.rpc.call(method, params);
      this.tell(typeof done === 'function' ? done(result) : done);
      return true;
    } catch (error) {
      this.tell(error.message, true);
      return false;
    }
  },
};

page.acts = new Acts(page);

let told = null;
let toldTimer = 0;
let current = null; // {page, view, error, loaded}
let timer = 0;
let helpShown = false;
let drawn = null; // the promise of the next drawing, while one is awaited
let silence = ''; // what is wrong with the store while data is awaited

function takeToken() {
  // `heroctl ui` opens the page with a token behind the hash; it must not stay in the address.
  const {page: name, rest, params} = place();
  if (params.token) {
    sessionStorage.setItem('hero.token', params.token);
    delete params.token;
    history.replaceState(null, '', address(name, rest, params));
  }
  return sessionStorage.getItem('hero.token') ?? '';
}

function start() {
  applyTheme(localStorage.getItem('hero.theme') ?? '');
  const url = new URL(base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  page.rpc = new Rpc(url.href, takeToken());
  page.rpc.addEventListener('state', ({detail}) => {
    if (detail === 'open') {
      load();
      page.acts.watch();
    }
    soon().then(showPlace);
  });
  narrow.addEventListener('change', soon);
  addEventListener('hashchange', enter);
  addEventListener('keydown', onKey);
  document.addEventListener('visibilitychange', () => document.hidden || load());
  enter();
}

/** Where the links do not fit into the line, it is scrolled to that of this page. */
function showPlace() {
  const link = slim.matches && root.querySelector('nav [aria-current]');
  if (link) link.parentNode.scrollLeft = link.offsetLeft - link.parentNode.offsetLeft - link.parentNode.clientWidth / 3;
}

async function enter() {
  const {page: name, rest, params} = place();
  const key = JSON.stringify([name, rest]);
  if (current?.key === key && current.view?.move) {
    // The same page with other parameters, as when a filter changes: it keeps its state and its focus.
    current.view.move(params);
    load();
    return;
  }
  current?.view?.leave?.();
  const entered = {name, key, view: null, error: null, loaded: false};
  current = entered;
  helpShown = false;
  document.title = `${TITLES[name] ?? 'Not found'}${rest.length ? ` ${rest[0]}` : ''} · Hero`;
  soon().then(showPlace);
  if (!(name in TITLES)) {
    entered.error = new Error('There is no such page.');
    soon();
    return;
  }
  const {default: View} = await import(`./pages/${name}.js`);
  if (current !== entered) return;
  entered.view = new View(page, rest, params);
  load();
}

async function load() {
  clearTimeout(timer);
  const {view} = current ?? {};
  if (!view || page.rpc.state !== 'open') return;
  const loading = current;
  const awaits = {over: false};
  const slow = setTimeout(askStore, SLOW_MS, awaits);
  try {
    await view.load?.();
    loading.error = null;
    loading.loaded = true;
  } catch (error) {
    loading.error = error;
  }
  awaits.over = true;
  clearTimeout(slow);
  if (current !== loading) return;
  silence = '';
  soon();
  clearTimeout(timer);
  if (view.every_s && page.live && !document.hidden) timer = setTimeout(load, view.every_s * 1000);
}
page.load = load;

/** Tell what is wrong with the store, if anything is, while a view waits for its data. */
async function askStore(awaits) {
  const health = await page.rpc.call('health').catch(() => null);
  if (awaits.over || health === null) return;
  silence = health.problem ?? '';
  soon();
}

function applyTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

function setTheme(event) {
  localStorage.setItem('hero.theme', event.target.value);
  applyTheme(event.target.value);
}

function toggle(name, value) {
  page[name] = value;
  if (name === 'utc') localStorage.setItem('hero.utc', value ? 'yes' : 'no');
  if (name === 'keys') localStorage.setItem('hero.keys', value ? 'yes' : 'no');
  if (name === 'live' && value) load();
  soon();
}

let prefix = '';
function onKey(event) {
  const typing = event.target.closest?.('input, textarea, select, dialog, [contenteditable]');
  if (!page.keys || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (prefix === 'g') {
    prefix = '';
    const target = PAGES.find(([, , key]) => key === event.key);
    if (target && (!target[3] || page.may(target[3]))) go(target[0]);
  } else if (event.key === 'g') {
    prefix = 'g';
    setTimeout(() => (prefix = ''), 1500);
  } else if (event.key === '/') {
    const search = document.querySelector('[data-search]');
    if (search) {
      event.preventDefault();
      search.focus();
    }
  } else if (event.key === '?') {
    helpShown = !helpShown;
    soon();
  } else if (event.key === 'Escape' && helpShown) {
    helpShown = false;
    soon();
  } else current?.view?.onKey?.(event);
}

function signIn(event) {
  event.preventDefault();
  const token = new FormData(event.target).get('token').trim();
  sessionStorage.setItem('hero.token', token);
  page.rpc.authenticate(token);
}

function signOut() {
  sessionStorage.removeItem('hero.token');
  page.acts.forget();
  location.reload();
}

/** Draw with the next frame, once for all who ask for it until then. Gives a promise that it is done. */
function soon() {
  drawn ??= new Promise((resolve) => {
    requestAnimationFrame(() => {
      drawn = null;
      draw();
      resolve();
    });
  });
  return drawn;
}

function draw() {
  const start = performance.now();
  render(frame(), root);
  if (narrow.matches) labelCells(root);
  // Who watches for it hears of it; nothing is kept.
  performance.measure('draw', {start});
  performance.clearMeasures('draw');
}

function frame() {
  const state = page.rpc.state;
  if (state === 'refused') return signInView();
  return html`
    <header>
      <a class="brand" href=${address('overview')}>Hero</a>
      <nav aria-label="Pages">
        ${PAGES.filter(([, , , scope]) => !scope || page.may(scope)).map(
          ([name, title]) =>
            html`<a href=${address(name)} aria-current=${current?.name === name ? 'page' : nothing}>${title}</a>`,
        )}
      </nav>
      <details class="menu">
        <summary>Settings</summary>
        <div>
          <label>Theme <select @change=${setTheme}>
            ${[['', 'as the system'], ['light', 'light'], ['dark', 'dark']].map(
              ([value, text]) =>
                html`<option value=${value} ?selected=${(localStorage.getItem('hero.theme') ?? '') === value}>${text}</option>`,
            )}
          </select></label>
          <label><input type="checkbox" .checked=${page.live} @change=${(e) => toggle('live', e.target.checked)}> Live updates</label>
          <label><input type="checkbox" .checked=${page.utc} @change=${(e) => toggle('utc', e.target.checked)}> Times in UTC</label>
          <label><input type="checkbox" .checked=${page.keys} @change=${(e) => toggle('keys', e.target.checked)}> Keyboard shortcuts</label>
          <p class="quiet">${page.identity?.name ?? 'Not signed in'}${page.identity ? html`, scope ${page.identity.scope}` : nothing}</p>
          ${sessionStorage.getItem('hero.token') ? html`<button @click=${signOut}>Sign out</button>` : nothing}
        </div>
      </details>
    </header>
    ${state === 'lost'
      ? html`<p class="banner" role="status">The connection to the supervisor is lost. What you see is from before; trying again…</p>`
      : page.live
        ? nothing
        : html`<p class="banner quiet" role="status">Live updates are paused. <button @click=${() => toggle('live', true)}>Go on</button></p>`}
    ${silence && state === 'open' ? html`<p class="banner" role="status">The store does not answer: ${silence}.${current?.loaded ? ' What you see is from before.' : ''}</p>` : nothing}
    ${page.acts.view()}
    <main id="main" tabindex="-1">
      ${current?.error && !current.loaded ? html`<h1>${TITLES[current.name] ?? 'Not found'}</h1>${loading(current.error)}` : nothing}
      ${current?.error && current.loaded ? html`<p class="problem" role="alert">${current.error.message}</p>` : nothing}
      ${current?.view && current.loaded ? current.view.view() : current?.error ? nothing : loading()}
    </main>
    <p class="told ${told?.problem ? 'problem' : ''}" role="status" ?hidden=${!told}>${told?.text ?? ''}</p>
    ${helpShown ? help() : nothing}`;
}

const signInView = () => html`
  <main id="main" class="sign-in">
    <h1>Hero</h1>
    <p role="alert">${page.rpc.refusal?.message ?? ''}</p>
    <form @submit=${signIn}>
      <label>Token <input name="token" type="password" autocomplete="off" required autofocus></label>
      <button>Sign in</button>
    </form>
    <p class="quiet">An operator makes one with <code>heroctl keys create</code>, or opens the page with <code>heroctl ui</code>.</p>
  </main>`;

const help = () => html`
  <aside class="help" aria-label="Keyboard shortcuts">
    <h2>Keyboard shortcuts</h2>
    <dl>
      ${PAGES.map(([, title, key]) => html`<dt><kbd>g</kbd> <kbd>${key}</kbd></dt><dd>${title}</dd>`)}
      <dt><kbd>/</kbd></dt><dd>search</dd>
      <dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next and previous row</dd>
      <dt><kbd>x</kbd></dt><dd>select the row</dd>
      <dt><kbd>Enter</kbd></dt><dd>open the row</dd>
      <dt><kbd>?</kbd></dt><dd>this list</dd>
    </dl>
  </aside>`;

start();
