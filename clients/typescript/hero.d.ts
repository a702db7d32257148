// Types of the client; those of the methods are in methods.d.ts.

import type {CallOptions, ErrorCode, HeroMethods, Identity, JobFields, TopicEvents, TopicParams} from './methods.js';

export * from './methods.js';

/** Options of a client. */
export interface ClientOptions {
  /** Bearer token; without one, the client has the rights of a client without a token. */
  token?: string;
  /** Instead of the runtime's own. */
  fetch?: typeof fetch;
  /** A class with the interface of browsers; Node has one from version 22 on. */
  WebSocket?: new (url: string) => WebSocket;
  /** How long a call is repeated, or waits for a connection, in milliseconds; by default a minute. */
  patienceMs?: number;
  /**
   * Called when the WebSocket is ready (`open`), when it is lost or cannot be made and will be tried again (`lost`), and
   * when it is not, because the token is refused or the client was closed (`ended`, with the reason).
   */
  onState?: (state: 'open' | 'lost' | 'ended', reason?: HeroError) => void;
}

/** An error that the supervisor has answered, or that the connection caused. */
export declare class HeroError extends Error {
  constructor(code: number, message: string, data?: Record<string, unknown>);
  /** The code; 0 if the connection failed. */
  readonly code: ErrorCode;
  /**
   * A stable word; of a failed job (code 1004) the kind of its failure. With code 0: `connection_lost` (the call may
   * have taken effect), `unreachable`, `closed` or `no_json_rpc`.
   */
  readonly kind: string;
  readonly data: {kind?: string; hint?: string; job_id?: string; line?: number | null; column?: number | null} & Record<
    string,
    unknown
  >;
}

/** A client of one supervisor. */
export declare class HeroClient extends HeroMethods {
  /** `https://host:port`, `wss://host:port`, or the same without TLS. It connects with the first call. */
  constructor(url: string | URL, options?: ClientOptions);

  /** Call a method by its name on the wire. */
  call(method: string, params?: object, options?: CallOptions): Promise<unknown>;

  /**
   * Speak for somebody else from now on: the holder of a token, also after the connection was made anew. A signature
   * counts only for the current WebSocket.
   */
  authenticate(
    params: {token?: string; signature?: string; nonce?: string; pubkey?: string},
    options?: CallOptions,
  ): Promise<Identity | boolean>;

  /** Connect the WebSocket now, and make it anew whenever it is lost, until the client is closed. */
  connect(): void;

  /** Store a job, start it, and give its id. */
  submitJob(job: JobFields, options?: CallOptions): Promise<string>;

  /**
   * Follow a topic. The iterator goes on after the last event when the connection was lost; it throws a HeroError if
   * the subscription is refused. `break`, or an aborted signal, ends the subscription.
   */
  subscribe<T extends keyof TopicEvents>(
    topic: T,
    params?: TopicParams[T],
    options?: CallOptions,
  ): AsyncIterableIterator<TopicEvents[T]>;

  /** Close the connection. */
  close(): void;
}
