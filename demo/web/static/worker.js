/**
 * The service worker: the page and this browser's own last drawings without a connection. What the server answers always
 * goes first; what is kept is given only where no answer comes, marked with X-Offline. Own drawings are put there and taken away
 * by the page (offline.js), never by this file, so that nothing of others is kept.
 */
const [SHELL, OWN] = ["shell", "own"];
const scope = /** @type {any} */ (self);

scope.addEventListener("install", () => scope.skipWaiting());
scope.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate" && url.pathname === "/") event.respondWith(page(event));
  else if (url.pathname.startsWith("/static/")) event.respondWith(file(event));
  else if (/^\/api\/v1\/(generations($|\/[0-9a-f]{32}$)|images\/)/.test(url.pathname)) event.respondWith(own(request, url));
});

/** @param {any} event  the page of now, which is kept; the last one where there is none */
async function page({ request }) {
  try {
    const answer = await fetch(request);
    if (answer.ok && answer.headers.has("Content-Language")) await keep("/", answer.clone());
    return answer;
  } catch (error) {
    return (await (await caches.open(SHELL)).match("/")) ?? Promise.reject(error);
  }
}

/** @param {any} event  its files never change under one address */
async function file({ request }) {
  const kept = await (await caches.open(SHELL)).match(request, { ignoreVary: true });
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await keep(request, answer.clone());
  return answer;
}

/** @param {RequestInfo} request @param {Response} answer  no room for it is no fault */
async function keep(request, answer) {
  await caches.open(SHELL).then((shell) => shell.put(request, answer)).catch(() => {});
}

/** @param {Request} request @param {URL} url  what the server says; without an answer what the page has kept of it */
async function own(request, url) {
  try {
    return await fetch(request);
  } catch (error) {
    const cache = await caches.open(OWN);
    const exact = await cache.match(request, { ignoreVary: true });
    const alike = () => cache.match(url.pathname, { ignoreSearch: true, ignoreVary: true }); // another size or form of it
    return exact ?? (await alike()) ?? Promise.reject(error);
  }
}
