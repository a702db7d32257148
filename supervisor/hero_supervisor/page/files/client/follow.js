// A subscription as an asynchronous iterator that goes on after the last event when the connection was lost.

import {closed} from './errors.js';

// What the program has not read yet. Beyond it, the subscription ends at the server, and goes on after the last event
// that is kept when the program has read all of them.
const MOST_KEPT = 10_000;
// The server has dropped what waited because this client read too slowly; it stops; it has lost its store.
const GOES_ON = new Set([1503, 1203, 1101, 0]);

/** The events of one subscription. */
export class Followed {
  #socket;
  #topic;
  #params;
  #signal;
  #kept = [];
  #cursor;
  #id = null;
  #beginning = false;
  #full = false;
  #done = false;
  #error = null;
  #wake = null;
  #release;
  #abort;

  constructor(socket, topic, params, signal, release) {
    this.#socket = socket;
    this.#topic = topic;
    this.#params = params;
    this.#cursor = params.after ?? null;
    this.#signal = signal;
    this.#release = release;
    this.#abort = () => this.#finish(signal.reason ?? closed());
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener('abort', this.#abort, {once: true});
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** Subscribe on the current connection; the client calls it for every new one. */
  async begin() {
    if (this.#done || this.#beginning || this.#id !== null) return;
    this.#beginning = true;
    const after = this.#cursor === null || this.#topic === 'metrics' ? {} : {after: this.#cursor};
    try {
      const params = {topic: this.#topic, params: {...this.#params, ...after}};
      const id = await this.#socket.request('hero_subscribe', params);
      if (this.#done) {
        this.#socket.request('hero_unsubscribe', {subscription: id}).catch(() => {});
        return;
      }
      this.#id = id;
      this.#socket.follow(id, (event) => this.#take(event));
    } catch (error) {
      if (!GOES_ON.has(error.code)) this.#finish(error);
      else if (this.#socket.isOpen) setTimeout(() => this.begin(), 1000);
    } finally {
      this.#beginning = false;
    }
  }

  /** The connection was lost, for good if there is an error. */
  lose(error) {
    this.#id = null;
    if (error) this.#finish(error);
  }

  async next() {
    for (;;) {
      if (this.#kept.length > 0) {
        const value = this.#kept.shift();
        if (this.#kept.length === 0 && this.#full) {
          this.#full = false;
          this.begin();
        }
        return {done: false, value};
      }
      if (this.#error !== null) {
        const error = this.#error;
        this.#error = null;
        throw error;
      }
      if (this.#done) return {done: true, value: undefined};
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** End the subscription; `break` in a `for await` calls it. */
  async return(value) {
    this.#kept = [];
    this.#finish(null);
    return {done: true, value};
  }

  #take(params) {
    if (params.error) {
      this.#socket.unfollow(params.subscription);
      this.#id = null;
      // After a slow reader, or when the server stops: the events follow the cursor, so none is lost.
      if (GOES_ON.has(params.error.code)) {
        if (this.#socket.isOpen) this.begin();
      } else this.#finish(Object.assign(new Error(params.error.message), params.error));
      return;
    }
    const event = params.result;
    if (event.cursor) this.#cursor = event.cursor;
    this.#kept.push(event);
    if (event.event === 'end' && this.#topic === 'logs') {
      this.#id = null;
      this.#socket.unfollow(params.subscription);
      this.#finish(null);
      return;
    }
    if (this.#kept.length > MOST_KEPT) this.#overflow();
    this.#wake?.();
  }

  #overflow() {
    if (this.#topic === 'metrics') {
      this.#kept.shift();
      return;
    }
    this.#full = true;
    this.#leave();
  }

  #leave() {
    if (this.#id === null) return;
    this.#socket.unfollow(this.#id);
    if (this.#socket.isOpen) this.#socket.request('hero_unsubscribe', {subscription: this.#id}).catch(() => {});
    this.#id = null;
  }

  #finish(error) {
    if (this.#done) return;
    this.#done = true;
    this.#error = error;
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#leave();
    this.#release(this);
    this.#wake?.();
  }
}
