/**
 * Keep this browser's last drawings for when there is no connection; worker.js gives them back. Kept is what stands on the wall:
 * what leaves it (deleted here or elsewhere, forgotten) is erased, and nothing of others ever lies there.
 */
import { API } from "./api.js";
import { tileUrl } from "./pictures.js";
import { listen, unfinished } from "./store.js";

/** @typedef {import("../types").Generation} Generation */

const [SHELL, OWN] = ["shell", "own"];
const LIST = `${API}/generations`;
const MOST = 24; // drawings
/** @type {Map<string, Generation>} */
const kept = new Map();
let writing = Promise.resolve();
let ready = false;

/** Register the worker and keep the files that this page is made of; without a worker nothing is ever kept. */
export async function begin() {
  const worker = await navigator.serviceWorker.register("/worker.js", { scope: "/" }).catch(() => null);
  if (!worker) return; // switched off in this browser, or no https: the page needs it for nothing else
  ready = true;
  const loaded = performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname);
  const files = [...new Set(loaded.filter((path) => path.startsWith("/static/")))];
  await shell(files).catch(() => {}); // no room
  write();
}

/** @param {string[]} files  those of another version go; without them a page would be made of two */
async function shell(files) {
  const cache = await caches.open(SHELL);
  const version = files[0]?.split("/")[2];
  for (const { url } of await cache.keys()) {
    const path = new URL(url).pathname;
    if (path.startsWith("/static/") && path.split("/")[2] !== version) await cache.delete(url);
  }
  const there = await Promise.all(files.map((path) => cache.match(path, { ignoreVary: true })));
  await cache.addAll(files.filter((_, i) => !there[i]));
  if (!(await cache.match("/", { ignoreVary: true }))) await cache.add("/");
}

/** @param {Generation[]} wall  all that stands there now, as the server says */
export function sync(wall) {
  kept.clear();
  wall.filter((g) => !unfinished(g)).forEach((g) => kept.set(g.id, g));
  write();
}

listen((id, generation) => {
  if (generation && (!generation.mine || unfinished(generation))) return;
  if (generation ? kept.set(id, generation) : kept.delete(id)) write();
});

/** Make the cache hold what is kept and nothing else; one after another, the last one counts. */
function write() {
  if (ready) writing = writing.then(store).catch(() => {});
}

async function store() {
  const newest = [...kept.values()].sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  const [cache, all] = [await caches.open(OWN), newest.slice(0, MOST)];
  const pictures = all.flatMap((g) => g.images.flatMap((image) => [tileUrl(image), image.thumbnail_url]));
  const wanted = new Set([LIST, ...all.map((g) => `${LIST}/${g.id}`), ...pictures]);
  for (const { url } of await cache.keys()) {
    const { pathname, search } = new URL(url);
    if (!wanted.has(pathname + search)) await cache.delete(url);
  }
  await cache.put(LIST, told({ items: all, next_cursor: null }));
  for (const g of all) await cache.put(`${LIST}/${g.id}`, told(g));
  for (const url of pictures) if (!(await cache.match(url, { ignoreVary: true }))) await cache.add(url).catch(() => {});
}

/** @param {object} body  an answer that says that no server gave it */
const told = (body) =>
  new Response(JSON.stringify(body), { headers: { "Content-Type": "application/json", "X-Offline": "1" } });
