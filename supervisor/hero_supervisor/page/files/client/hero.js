// A client of the Hero actor runtime: JSON-RPC over HTTP or WebSocket, for browsers and Node, without dependencies.

import {HeroError, closed, isUncertain, pause, pauseOf, unreachable, lost} from './errors.js';
import {Followed} from './follow.js';
import {METHODS, HeroMethods} from './methods.js';
import {Socket} from './socket.js';

export {HeroError} from './errors.js';

const PATIENCE_MS = 60_000;

/** A client of one supervisor. Its methods are those of `rpc.discover`, in camel case, with parameters by name. */
export class HeroClient extends HeroMethods {
  #url;
  #token;
  #fetch;
  #patienceMs;
  #socket = null;
  #socketOptions;
  #onState;
  #stays = false;
  #followed = new Set();
  #closed = new AbortController();

  /**
   * @param {string} url `https://host:port`, `wss://host:port`, or the same without TLS
   * @param {object} options see hero.d.ts
   */
  constructor(url, {token, fetch, WebSocket, patienceMs = PATIENCE_MS, onState = () => {}} = {}) {
    super();
    this.#url = new URL(url);
    if (!['http:', 'https:', 'ws:', 'wss:'].includes(this.#url.protocol)) {
      throw new TypeError(`${url}: a URL of a supervisor begins with http://, https://, ws:// or wss://`);
    }
    this.#token = token;
    this.#fetch = fetch ?? globalThis.fetch.bind(globalThis);
    this.#patienceMs = patienceMs;
    this.#onState = onState;
    this.#socketOptions = {token, WebSocket: WebSocket ?? globalThis.WebSocket, patienceMs};
  }

  /** Speak for somebody else from now on; a token counts also for the next connections. */
  async authenticate(params, options = {}) {
    const {token, signature} = params;
    if (signature !== undefined || token === undefined) return this.call('authenticate', params, options);
    this.#token = token;
    this.#socketOptions.token = token;
    if (this.#socket !== null) await this.#socket.authenticate(token);
    return this.call('whoami', {}, options);
  }

  /** Call a method by its name on the wire. Repeats it after a lost connection if that is safe. */
  async call(method, params = {}, {signal, patienceMs = this.#patienceMs} = {}) {
    const given = withId(method, params);
    const until = Date.now() + patienceMs;
    for (let tries = 0; ; tries += 1) {
      if (this.#closed.signal.aborted) throw closed();
      try {
        return await this.#once(method, given, signal);
      } catch (error) {
        const again = (isUncertain(error) && mayRepeat(method, given)) || error.kind === 'unreachable';
        if (!again || signal?.aborted || Date.now() >= until) throw error;
      }
      await pause(pauseOf(tries), signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal);
    }
  }

  /** Connect the WebSocket now, and make it anew whenever it is lost, until the client is closed. */
  connect() {
    this.#stays = true;
    this.#connection().connect();
  }

  /** Store a job, start it, and give its id; safe to repeat, because the job has an id of its own. */
  async submitJob(job, options = {}) {
    const jobId = await this.call('create_job', job, options);
    try {
      await this.call('start_job', {job_id: jobId}, options);
    } catch (error) {
      if (error.code === 1003) return jobId; // started before: an equal job, or this call was answered too late
      if (!isUncertain(error)) throw error;
      const status = await this.call('get_job_status', {job_id: jobId}, options);
      if (status === 'created') return this.submitJob({...job, id: jobId}, options);
    }
    return jobId;
  }

  /** Follow a topic: an asynchronous iterator over its events. `break`, or an aborted signal, ends the subscription. */
  subscribe(topic, params = {}, {signal} = {}) {
    const socket = this.#connection();
    const followed = new Followed(socket, topic, params, signal, (one) => this.#followed.delete(one));
    this.#followed.add(followed);
    followed.begin();
    return followed;
  }

  /** Close the connection; what waits fails with the kind `closed`. */
  close() {
    this.#closed.abort(closed());
    this.#socket?.close();
    for (const followed of [...this.#followed]) followed.return();
  }

  get #overSocket() {
    return this.#url.protocol === 'ws:' || this.#url.protocol === 'wss:';
  }

  #connection() {
    if (this.#closed.signal.aborted) throw closed();
    if (this.#socket !== null) return this.#socket;
    if (!this.#socketOptions.WebSocket) {
      throw new TypeError('this runtime has no WebSocket: give a class of that interface as the option WebSocket');
    }
    const url = new URL(this.#url);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new Socket(url.href, this.#socketOptions);
    socket.keep = () => this.#stays || this.#followed.size > 0;
    socket.onopen = () => {
      for (const followed of this.#followed) followed.begin();
      this.#onState('open');
    };
    socket.onlost = (error) => {
      for (const followed of [...this.#followed]) followed.lose(error);
      this.#onState(error ? 'ended' : 'lost', error);
    };
    this.#socket = socket;
    return socket;
  }

  #once(method, params, signal) {
    return this.#overSocket ? this.#connection().request(method, params, signal) : this.#post(method, params, signal);
  }

  async #post(method, params, signal) {
    const headers = {'Content-Type': 'application/json'};
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    const body = JSON.stringify({jsonrpc: '2.0', id: 1, method, params});
    const url = new URL('rpc', this.#url.href.endsWith('/') ? this.#url : `${this.#url.href}/`);
    const ends = signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal;
    let answer;
    let text;
    try {
      answer = await this.#fetch(url, {method: 'POST', headers, body, signal: ends});
      text = await answer.text();
    } catch (error) {
      if (this.#closed.signal.aborted) throw closed();
      if (signal?.aborted) throw error;
      // fetch does not tell whether the request was sent, except that a refused connection is one that never was.
      throw refusedConnection(error) ? unreachable(this.#url.origin, error) : lost(method);
    }
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      throw new HeroError(0, `${url} does not answer in JSON-RPC (HTTP ${answer.status})`, {kind: 'no_json_rpc'});
    }
    if (message.error) throw new HeroError(message.error.code, message.error.message, message.error.data);
    return message.result;
  }
}

/** Node says so; a browser does not. */
function refusedConnection(error) {
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].includes(error?.cause?.code);
}

function mayRepeat(method, params) {
  const rule = METHODS[method]?.repeat ?? 'no';
  return rule === 'safe' || (rule !== 'no' && params[rule] !== undefined) || (rule === 'id' && params.job?.id !== undefined);
}

/** Give a job or an act an id, so that the call can be repeated; not one that is signed, because that would change it. */
function withId(method, params) {
  const rule = METHODS[method]?.repeat ?? 'no';
  if (rule === 'safe' || rule === 'no' || mayRepeat(method, params)) return params;
  if (rule !== 'id') return {...params, [rule]: newId()};
  if (params.job !== undefined) return params.job.signatures ? params : {...params, job: {id: newId(), ...params.job}};
  return params.signatures ? params : {id: newId(), ...params};
}

/** A UUID of version 4; `crypto.randomUUID` is missing on pages without TLS. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
