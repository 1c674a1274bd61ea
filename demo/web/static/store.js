/**
 * The generations this page knows, and keeping the unfinished ones fresh: by event stream for the first two (a browser
 * opens only six connections to a server, and pictures need some), by polling for the rest, and by polling for all
 * where streams are refused. Both give the same facts, so nobody above needs to know which it was.
 */
import { API, Problem, connection, get } from "./api.js";

/** @typedef {import("../types").Generation} Generation */

const STREAMS = 2;
const POLL_MS = 1500;

/** @type {Map<string, Generation>} */
const known = new Map();
/** @type {Set<(id: string, generation: Generation | null, before: Generation | null) => void>} */
const listeners = new Set();
/** @type {Map<string, EventSource>} */
const streams = new Map();
/** What other tabs of this browser drew, changed or deleted: its id. @type {BroadcastChannel | null} */
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("generations") : null;
/** @type {Set<string>} streams the server refused: polled until the end */
const refused = new Set();
let timer = 0;

/** @type {Set<string>} generations and pictures that a person deleted and may still take back: shown nowhere */
export const leaving = new Set();

/**
 * @template {{images: import("../types").Picture[]}} Item
 * @param {Item} item
 * @returns {Item} without the pictures that are leaving
 */
export const staying = (item) =>
  item.images.some((i) => leaving.has(i.id)) ? { ...item, images: item.images.filter((i) => !leaving.has(i.id)) } : item;

let all = () => {};

/** @param {() => void} everything  called when another tab of this browser changed everything at once */
export function elsewhere(everything) {
  all = everything;
}

/** @param {string} id  tell this browser's other tabs of it; "" for everything */
export const share = (id) => tabs?.postMessage(id);

/** @param {Generation} g @returns {boolean} */
export const unfinished = (g) => g.status === "queued" || g.status === "running";

/** @param {string} id @returns {Generation | undefined} */
export const find = (id) => known.get(id);

/** @param {(id: string, generation: Generation | null, before: Generation | null) => void} tell  null: it is gone */
export function listen(tell) {
  listeners.add(tell);
}

/**
 * Take in what the server said of a generation, and follow it while it is unfinished.
 * @param {Generation} generation
 */
export function put(generation) {
  const before = known.get(generation.id) || null;
  if (before && !unfinished(before) && unfinished(generation)) return; // an old answer overtaken by a newer one
  const here = staying(generation);
  known.set(here.id, here);
  listeners.forEach((tell) => tell(here.id, here, before));
  arrange();
}

/** @param {string} id  forget it here (deleted, or never ours) */
export function drop(id) {
  const before = known.get(id) || null;
  known.delete(id);
  arrange();
  listeners.forEach((tell) => tell(id, null, before));
}

/**
 * Ask for one generation now.
 * @param {string} id
 * @param {boolean} [fresh]  take it in though it is finished and was not known
 * @returns {Promise<Generation | null>} null when it is not ours to see, or gone
 */
export async function refresh(id, fresh = false) {
  try {
    const generation = await get(`/generations/${id}`);
    if (generation.mine && (fresh || known.has(id) || unfinished(generation))) put(generation);
    return generation;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) {
      drop(id);
      return null;
    }
    throw error;
  }
}

/** Open and close streams so that the oldest unfinished ones have them, and poll what has none. */
function arrange() {
  const waiting = [...known.values()].filter(unfinished).map((g) => g.id);
  for (const [id, stream] of streams) if (!waiting.includes(id) || document.hidden) close(id, stream);
  if (!document.hidden) {
    for (const id of waiting) if (streams.size < STREAMS && !streams.has(id) && !refused.has(id)) open(id);
  }
  clearTimeout(timer);
  if (waiting.some((id) => !streams.has(id))) timer = window.setTimeout(poll, document.hidden ? 4 * POLL_MS : POLL_MS);
}

async function poll() {
  await connection.back();
  const waiting = [...known.values()].filter(unfinished).map((g) => g.id);
  for (const id of waiting.filter((id) => !streams.has(id))) await refresh(id).catch(() => {});
  arrange();
}

/** @param {string} id */
function open(id) {
  const stream = new EventSource(`${API}/generations/${id}/events`);
  streams.set(id, stream);
  /** @param {Partial<Generation>} news */
  const change = (news) => {
    const before = known.get(id);
    if (before && unfinished(before)) put({ ...before, ...news });
  };
  /** @param {string} event @param {(data: any) => void} take */
  const on = (event, take) =>
    stream.addEventListener(event, (message) => take(JSON.parse(/** @type {MessageEvent} */ (message).data)));
  on("queued", ({ position }) => change({ status: "queued", position, progress: null }));
  on("progress", ({ status, ...progress }) => change({ status, position: null, progress }));
  on("done", (generation) => change(generation));
  on("failed", ({ error }) => change({ status: "failed", error, progress: null, position: null }));
  on("cancelled", () => change({ status: "cancelled", progress: null, position: null }));
  stream.addEventListener("open", () => connection.found());
  stream.addEventListener("error", () => {
    if (streams.get(id) !== stream) return;
    if (stream.readyState === EventSource.CLOSED) {
      refused.add(id); // too many streams, or a proxy in between; a lost connection is CONNECTING and mends itself
      close(id, stream);
    }
    refresh(id)
      .catch(() => {})
      .finally(arrange); // says whether the server is there
  });
}

/** @param {string} id @param {EventSource} stream */
function close(id, stream) {
  stream.close();
  streams.delete(id);
}

document.addEventListener("visibilitychange", arrange);
tabs?.addEventListener("message", ({ data: id }) => (id ? refresh(id, true).catch(() => {}) : all()));
connection.listeners.add((up) => {
  if (!up) return;
  refused.clear();
  for (const g of [...known.values()].filter(unfinished)) refresh(g.id).catch(() => {});
});
