// The connection to the supervisor: the JavaScript client, with what a page needs beside it: a state that it shows, who
// is signed in, and subscriptions that begin when somebody is.
//
// Calls made while the connection is lost wait for the next one. Subscriptions go on after the last event that arrived.

import {HeroClient, HeroError} from './client/hero.js';

const ANSWER_WITHIN_MS = 30_000;

/** One connection, which is made anew when it is lost. Fires `state`: `connecting`, `open`, `lost` or `refused`. */
export class Rpc extends EventTarget {
  #client;
  #handles = new Set(); // {topic, params, onEvent, cursor, running, ends}
  #signingIn = false;

  constructor(url, token) {
    super();
    this.state = 'connecting';
    this.identity = null;
    this.#client = new HeroClient(url, {token: token || undefined, onState: (state, error) => this.#take(state, error)});
    this.#client.connect();
  }

  /** Use another token from now on. */
  async authenticate(token) {
    this.#signingIn = true;
    this.#setState('connecting');
    try {
      this.#welcome(await this.#client.authenticate({token}, {patienceMs: 0}));
    } catch (error) {
      if (error.code === 0) this.#setState('lost');
      else this.#refuse(error);
    } finally {
      this.#signingIn = false;
    }
  }

  /** Call a method; gives its result, or throws a HeroError. What may have taken effect is not repeated. */
  async call(method, params = {}) {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    try {
      return await this.#client.call(method, params, {signal, patienceMs: 0});
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new HeroError(0, 'no answer from the supervisor within 30 s', {kind: 'no_answer'});
    }
  }

  /** Follow a topic; gives a function that ends the subscription. */
  subscribe(topic, params, onEvent) {
    const handle = {topic, params, onEvent, cursor: null, running: false, ends: new AbortController()};
    this.#handles.add(handle);
    if (this.state === 'open') this.#follow(handle);
    return () => {
      this.#handles.delete(handle);
      handle.ends.abort();
    };
  }

  async #follow(handle) {
    if (handle.running) return;
    handle.running = true;
    const {topic, onEvent, ends: {signal}} = handle;
    const after = handle.cursor === null ? {} : {after: handle.cursor};
    try {
      for await (const event of this.#client.subscribe(topic, {...handle.params, ...after}, {signal})) {
        if (signal.aborted) return;
        if (event.cursor) handle.cursor = event.cursor;
        onEvent(event);
      }
      this.#handles.delete(handle);
    } catch (error) {
      // When the connection has ended because of its token, it begins again with the next one.
      if (!signal.aborted && this.state === 'open') onEvent({event: 'refused', error});
    } finally {
      handle.running = false;
    }
  }

  async #take(state, error) {
    if (state === 'ended') {
      if (!this.#signingIn) this.#refuse(error);
    } else if (state === 'lost') {
      if (this.state !== 'refused') this.#setState('lost');
    } else if (!this.#signingIn) {
      try {
        this.#welcome(await this.call('whoami'));
      } catch (failure) {
        if (failure.code !== 0) this.#refuse(failure);
      }
    }
  }

  #welcome(identity) {
    this.identity = identity;
    if (identity.scope === 'none') {
      this.#refuse(new HeroError(1301, 'a token is needed'));
      return;
    }
    this.#setState('open');
    for (const handle of this.#handles) this.#follow(handle);
  }

  #refuse(error) {
    this.refusal = error;
    this.#setState('refused');
  }

  #setState(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent('state', {detail: state}));
  }
}
