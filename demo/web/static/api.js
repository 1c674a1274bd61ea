/**
 * Talk to /api/v1 and know whether the server is there. The shapes of its answers are in ../types.d.ts.
 */
import { hasWords, lang, w } from "./words.js";

export const API = "/api/v1";

/** A refusal in words a person can act on. */
export class Problem extends Error {
  /**
   * @param {string} code  the server's code, or "offline" when no answer came
   * @param {string} message  the server's words, shown where the page has none of its own
   * @param {number} [status]
   * @param {number} [retryAfter]  seconds
   * @param {string} [field]  the one to blame
   */
  constructor(code, message, status = 0, retryAfter = 0, field = "") {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
    this.field = field;
  }
}

/**
 * Say what went wrong and what to do next. A refusal for what a prompt says comes with its own whole words.
 * @param {{code: string, message: string, retryAfter?: number}} problem
 * @returns {{what: string, next: string}}
 */
export function explain(problem) {
  const reason = ["prompt_rejected", "publishing_rejected"].includes(problem.code) && problem.message; // it knows which
  const known = !reason && hasWords(`problem.${problem.code}`);
  const next = hasWords(`cure.${problem.code}`) ? `cure.${problem.code}` : "cure.other";
  return {
    what: known ? w(`problem.${problem.code}`) : problem.message || w("problem.other"),
    next: reason ? "" : w(next, { n: problem.retryAfter || 10 }),
  };
}

/**
 * Ask once. JSON in, JSON out; FormData goes as it is.
 * @param {string} method
 * @param {string} path  under /api/v1
 * @param {{body?: object | FormData, signal?: AbortSignal, key?: string, keepalive?: boolean, blob?: boolean}} [options]  blob: the answer is a file
 * @returns {Promise<any>}
 * @throws {Problem} for every answer that is not a success; an abort stays an AbortError
 */
export async function call(method, path, { body, signal, key, keepalive, blob } = {}) {
  /** @type {Record<string, string>} */
  const headers = { "Accept-Language": lang };
  if (body && !(body instanceof FormData)) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  const payload = body instanceof FormData ? body : body && JSON.stringify(body);
  const answer = await reach(() => fetch(API + path, { method, headers, body: payload, signal, keepalive }));
  if ([502, 504].includes(answer.status)) {
    connection.lost();
    throw new Problem("offline", w("problem.offline"), answer.status);
  }
  if (answer.headers.has("X-Offline")) connection.lost(); // kept by offline.js: nobody has answered
  else connection.found();
  if (answer.status === 204) return null;
  if (answer.ok) return reach(() => (blob ? answer.blob() : answer.json()));
  const failure = await answer.json().catch(() => ({}));
  const { code = "other", message = "", field = "" } = failure.error || {};
  throw new Problem(code, message, answer.status, Number(answer.headers.get("Retry-After")) || 0, field);
}

/**
 * Do a part of a call; where the connection breaks it says so.
 * @template T
 * @param {() => Promise<T>} part
 * @returns {Promise<T>}
 */
async function reach(part) {
  try {
    return await part();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    connection.lost();
    throw new Problem("offline", w("problem.offline"));
  }
}

/**
 * @template {string} Path
 * @param {Path} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<import("../types").AnswerTo<Path>>}
 */
export const get = (path, signal) => call("GET", path, { signal });

/**
 * Whether the server answers. While it does not, /healthz is asked with growing pauses; listeners hear both changes.
 */
export const connection = {
  up: true,
  /** @type {Set<(up: boolean) => void>} */
  listeners: new Set(),
  pause: 0,
  timer: 0,
  lost() {
    if (this.up) {
      this.up = false;
      this.pause = 700;
      this.listeners.forEach((tell) => tell(false));
    }
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.probe(), this.pause);
  },
  found() {
    clearTimeout(this.timer);
    if (this.up) return;
    this.up = true;
    this.listeners.forEach((tell) => tell(true));
  },
  async probe() {
    try {
      const answer = await fetch("/healthz", { cache: "no-store" });
      if (answer.ok) return this.found();
    } catch {
      // Not there yet: ask again, a little later each time.
    }
    this.pause = Math.min(this.pause * 1.6, 8000);
    this.timer = window.setTimeout(() => this.probe(), this.pause);
  },
  /** @returns {Promise<void>} once the server answers */
  async back() {
    if (this.up) return;
    await new Promise((resolve) => {
      const tell = (/** @type {boolean} */ up) => up && (this.listeners.delete(tell), resolve(undefined));
      this.listeners.add(tell);
    });
  },
};
