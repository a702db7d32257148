// One WebSocket to a supervisor, which is made anew when it is lost, with a token as its first message.
//
// Calls wait for a connection. A call that was sent on a lost connection fails with the kind `connection_lost`; the
// client decides whether it may be repeated.

import {HeroError, closed, lost, pauseOf, unreachable} from './errors.js';

export class Socket {
  #url;
  #token;
  #WebSocket;
  #patienceMs;
  #socket = null;
  #open = false;
  #ended = null; // the error that ends everything: closed, or a token that is refused
  #tries = 0;
  #timer = null;
  #since = null; // since when there has been no connection
  #nextId = 1;
  #calls = new Map(); // id -> {method, message, sent, resolve, reject}
  #followers = new Map(); // subscription id -> follower
  #early = new Map(); // subscription id -> notifications that came before it was known

  constructor(url, {token, WebSocket, patienceMs}) {
    this.#url = url;
    this.#token = token;
    this.#WebSocket = WebSocket;
    this.#patienceMs = patienceMs;
    /** Called when a connection is ready; and when one is lost or cannot be made, with an error if that is for good. */
    this.onopen = () => {};
    this.onlost = () => {};
  }

  get isOpen() {
    return this.#open;
  }

  /** Use another token, for this connection and the next ones. */
  async authenticate(token) {
    this.#token = token;
    if (this.#ended !== null && this.#ended.kind !== 'closed') {
      this.#ended = null;
      this.#tries = 0;
    }
    return this.request('authenticate', {token});
  }

  /** Send one request when there is a connection, and give its result. */
  request(method, params, signal) {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const stop = () => {
        this.#calls.delete(id);
        reject(signal.reason);
      };
      const settle = (settled) => (value) => {
        signal?.removeEventListener('abort', stop);
        settled(value);
      };
      signal?.addEventListener('abort', stop, {once: true});
      const message = JSON.stringify({jsonrpc: '2.0', id, method, params});
      this.#calls.set(id, {method, message, sent: false, resolve: settle(resolve), reject: settle(reject)});
      if (this.#open) this.#send(this.#calls.get(id));
      else this.connect();
    });
  }

  /** Give the notifications of a subscription to a follower, those that have come already too. */
  follow(id, follower) {
    this.#followers.set(id, follower);
    for (const params of this.#early.get(id) ?? []) follower(params);
    this.#early.delete(id);
  }

  unfollow(id) {
    this.#followers.delete(id);
    this.#early.delete(id);
  }

  close() {
    this.#end(closed());
  }

  /** Connect if there is no connection, and none is being made. */
  connect() {
    if (this.#socket !== null || this.#timer !== null || this.#ended !== null) return;
    this.#since ??= Date.now();
    let socket;
    try {
      socket = new this.#WebSocket(this.#url);
    } catch (error) {
      this.#end(unreachable(this.#url, error));
      return;
    }
    this.#socket = socket;
    socket.onopen = () => this.#begin(socket);
    socket.onmessage = (event) => this.#take(JSON.parse(event.data));
    socket.onerror = () => {};
    socket.onclose = () => this.#lose(socket);
  }

  #begin(socket) {
    if (socket !== this.#socket) return;
    if (!this.#token) {
      this.#ready();
      return;
    }
    const id = this.#nextId++;
    const message = JSON.stringify({jsonrpc: '2.0', id, method: 'authenticate', params: {token: this.#token}});
    this.#calls.set(id, {
      method: 'authenticate',
      sent: true,
      resolve: () => this.#ready(),
      // A lost connection is no refusal; the next one authenticates again. Neither is a store that cannot be reached.
      reject: (error) => (error.code >= 1300 && error.code < 1400 ? this.#end(error) : this.#socket?.close()),
    });
    socket.send(message);
  }

  #ready() {
    if (this.#socket === null) return;
    this.#open = true;
    this.#tries = 0;
    this.#since = null;
    for (const call of this.#calls.values()) if (!call.sent) this.#send(call);
    this.onopen();
  }

  #send(call) {
    call.sent = true;
    this.#socket.send(call.message);
  }

  #take(message) {
    if (message.method === 'hero_subscription') {
      const follower = this.#followers.get(message.params.subscription);
      if (follower) {
        follower(message.params);
        return;
      }
      const early = this.#early.get(message.params.subscription) ?? [];
      early.push(message.params);
      this.#early.set(message.params.subscription, early);
      return;
    }
    const call = this.#calls.get(message.id);
    if (!call) return;
    this.#calls.delete(message.id);
    if (message.error) call.reject(new HeroError(message.error.code, message.error.message, message.error.data));
    else call.resolve(message.result);
  }

  #lose(socket) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#open = false;
    this.#followers.clear();
    this.#early.clear();
    this.#since ??= Date.now();
    const impatient = Date.now() - this.#since >= this.#patienceMs;
    for (const [id, call] of this.#calls) {
      if (!call.sent && !impatient) continue;
      this.#calls.delete(id);
      call.reject(call.sent ? lost(call.method) : unreachable(this.#url));
    }
    if (this.#ended !== null) return;
    this.#later();
    this.onlost();
  }

  /** Connect again after a pause, if anybody needs a connection then. */
  #later() {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#calls.size > 0 || this.keep?.()) this.connect();
      else this.#since = null;
    }, pauseOf(this.#tries));
    this.#tries += 1;
  }

  #end(error) {
    this.#ended = error;
    clearTimeout(this.#timer);
    this.#timer = null;
    const socket = this.#socket;
    this.#socket = null;
    this.#open = false;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#followers.clear();
    this.#early.clear();
    for (const call of calls) call.reject(error);
    socket?.close();
    this.onlost(error);
  }
}
