// The connection to the supervisor: JSON-RPC 2.0 over one WebSocket, with a token as its first message.
//
// Calls made while the connection is lost wait for the next one. Subscriptions go on after the last event that arrived.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const ANSWER_WITHIN_MS = 30_000;

/** An error that the supervisor has answered, or that the connection caused (`code` 0). */
export class RpcError extends Error {
  constructor(code, message, data = {}) {
    super(message);
    this.code = code;
    this.data = data ?? {};
  }
}

/** One connection, which is made anew when it is lost. Fires `state`: `connecting`, `open`, `lost` or `refused`. */
export class Rpc extends EventTarget {
  #url;
  #token;
  #socket = null;
  #nextId = 1;
  #pending = new Map(); // id -> {resolve, reject, message, sent, timer}
  #subscriptions = new Map(); // our handle -> {topic, params, onEvent, id, cursor}
  #byId = new Map(); // subscription id -> our handle
  #early = new Map(); // events that came before the id of their subscription was known
  #pauseMs = FIRST_PAUSE_MS;

  constructor(url, token) {
    super();
    this.#url = url;
    this.#token = token;
    this.state = 'connecting';
    this.identity = null;
    this.#connect();
  }

  /** Use another token from now on. */
  authenticate(token) {
    this.#token = token;
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#setState('connecting');
    if (this.#socket) this.#socket.close();
    else this.#connect();
  }

  /** Call a method; gives its result, or throws an RpcError. */
  call(method, params = {}) {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new RpcError(0, 'no answer from the supervisor within 30 s'));
      }, ANSWER_WITHIN_MS);
      const message = JSON.stringify({jsonrpc: '2.0', id, method, params});
      const call = {resolve, reject, message, sent: false, timer};
      this.#pending.set(id, call);
      if (this.state === 'open') this.#send(call);
    });
  }

  /** Follow a topic; gives a function that ends the subscription. */
  subscribe(topic, params, onEvent) {
    const handle = {topic, params, onEvent, id: null, cursor: null, ended: false};
    this.#subscriptions.set(handle, handle);
    if (this.state === 'open') this.#begin(handle);
    return () => {
      handle.ended = true;
      this.#subscriptions.delete(handle);
      if (handle.id !== null) {
        this.#byId.delete(handle.id);
        if (this.state === 'open') this.call('hero_unsubscribe', {subscription: handle.id}).catch(() => {});
      }
    };
  }

  async #begin(handle) {
    const after = handle.cursor === null ? {} : {after: handle.cursor};
    try {
      const id = await this.call('hero_subscribe', {topic: handle.topic, params: {...handle.params, ...after}});
      handle.id = id;
      if (handle.ended) {
        this.call('hero_unsubscribe', {subscription: id}).catch(() => {});
        return;
      }
      this.#byId.set(id, handle);
      for (const params of this.#early.get(id) ?? []) this.#deliver(handle, params);
      this.#early.delete(id);
    } catch (error) {
      if (!handle.ended && error.code !== 0) handle.onEvent({event: 'refused', error});
    }
  }

  #deliver(handle, params) {
    if (params.error) {
      // The supervisor has dropped what waited, because this page read too slowly.
      this.#byId.delete(handle.id);
      handle.id = null;
      if (this.state === 'open') this.#begin(handle);
      return;
    }
    if (params.result.cursor) handle.cursor = params.result.cursor;
    handle.onEvent(params.result);
  }

  #connect() {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#open();
    socket.onmessage = (event) => this.#take(JSON.parse(event.data));
    socket.onclose = () => this.#lose();
  }

  async #open() {
    try {
      // Both are sent before anything else, so that everything after them has the rights of the token.
      const first = this.#token
        ? [['authenticate', {token: this.#token}], ['whoami', {}]]
        : [['whoami', {}]];
      const answers = await Promise.all(first.map(([method, params]) => this.#ask(method, params)));
      this.identity = answers.at(-1);
    } catch (error) {
      if (error.code !== 0) this.#refuse(error);
      return;
    }
    if (this.identity.scope === 'none') {
      this.#refuse(new RpcError(-32001, 'a token is needed'));
      return;
    }
    this.#pauseMs = FIRST_PAUSE_MS;
    // What is subscribed to when the state is told begins then, and must not begin twice.
    const handles = [...this.#subscriptions.keys()];
    this.#setState('open');
    for (const call of this.#pending.values()) if (!call.sent) this.#send(call);
    for (const handle of handles) if (!handle.ended) this.#begin(handle);
  }

  #ask(method, params) {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const message = JSON.stringify({jsonrpc: '2.0', id, method, params});
      const call = {resolve, reject, message, sent: true, timer: 0};
      this.#pending.set(id, call);
      this.#socket.send(message);
    });
  }

  #refuse(error) {
    this.refusal = error;
    this.#setState('refused');
    this.#socket.close();
  }

  #send(call) {
    call.sent = true;
    this.#socket.send(call.message);
  }

  #take(message) {
    if (message.method === 'hero_subscription') {
      const handle = this.#byId.get(message.params.subscription);
      if (handle) this.#deliver(handle, message.params);
      else {
        const early = this.#early.get(message.params.subscription) ?? [];
        if (early.length < 1000) this.#early.set(message.params.subscription, [...early, message.params]);
      }
      return;
    }
    const call = this.#pending.get(message.id);
    if (!call) return;
    this.#pending.delete(message.id);
    clearTimeout(call.timer);
    if (message.error) call.reject(new RpcError(message.error.code, message.error.message, message.error.data));
    else call.resolve(message.result);
  }

  #lose() {
    this.#socket = null;
    this.#byId.clear();
    this.#early.clear();
    for (const handle of this.#subscriptions.keys()) handle.id = null;
    for (const [id, call] of this.#pending) {
      // Whether a call that was sent has taken effect is not known, so it is not repeated.
      if (!call.sent) continue;
      this.#pending.delete(id);
      clearTimeout(call.timer);
      call.reject(new RpcError(0, 'the connection was lost before the answer came'));
    }
    if (this.state === 'refused') return;
    if (this.state === 'connecting' && this.#pauseMs === FIRST_PAUSE_MS) this.#connectLater(0);
    else {
      this.#setState('lost');
      this.#connectLater(this.#pauseMs * (0.5 + Math.random() / 2));
    }
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #connectLater(pauseMs) {
    setTimeout(() => {
      if (this.#socket === null && this.state !== 'refused') this.#connect();
    }, pauseMs);
  }

  #setState(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent('state', {detail: state}));
  }
}
