// What goes wrong between a program and a supervisor, and whether a call may be made again.

/** An error that the supervisor has answered, or that the connection caused (`code` 0). */
export class HeroError extends Error {
  /**
   * @param {number} code of the service; 0 if the connection failed
   * @param {string} message one sentence for people
   * @param {object} data has at least `kind`; the other fields depend on it
   */
  constructor(code, message, data = {}) {
    super(message);
    this.name = 'HeroError';
    this.code = code;
    this.data = data ?? {};
    this.kind = this.data.kind ?? 'unknown';
  }
}

/** The connection was lost after a call was sent, and the call may not be repeated. */
export const LOST = 'connection_lost';
/** There was no connection for as long as the client is patient. */
export const UNREACHABLE = 'unreachable';
/** The client was closed. */
export const CLOSED = 'closed';

// Store unavailable; the server stops. Both leave it open whether the call took effect.
const UNCERTAIN = new Set([1101, 1203]);

/** Whether an error says nothing of what became of the call. */
export function isUncertain(error) {
  return error instanceof HeroError && (UNCERTAIN.has(error.code) || (error.code === 0 && error.kind === LOST));
}

export function lost(what) {
  return new HeroError(0, `the connection was lost before the answer to ${what} came; it may have taken effect`, {kind: LOST});
}

export function unreachable(url, cause) {
  const error = new HeroError(0, `${url} cannot be reached`, {kind: UNREACHABLE});
  error.cause = cause;
  return error;
}

export function closed() {
  return new HeroError(0, 'this client was closed', {kind: CLOSED});
}

/** Wait; ends early with the signal's reason when it aborts. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, {once: true});
  });
}

/** The pause before try number `n`: twice as long each time, at most 10 s, and not the same for all clients. */
export function pauseOf(n) {
  return Math.min(250 * 2 ** n, 10_000) * (0.5 + Math.random() / 2);
}
