/**
 * Put the page together: places by address (#/, #/fabric, #/mine, #/gallery, #/closet, #/me), the wall of one's drawings, the line about the connection.
 */
import { Problem, connection, get } from "./api.js";
import * as chips from "./chips.js";
import * as composer from "./composer.js";
import { fill, h, one, walk } from "./dom.js";
import * as me from "./me.js";
import * as past from "./past.js";
import * as photos from "./photos.js";
import { fromLink, studio } from "./pictures.js";
import * as reading from "./reading.js";
import { announce, complain, toast } from "./say.js";
import * as settings from "./settings.js";
import { generationCard, tell } from "./generation_card.js";
import { drop, elsewhere, find, leaving, listen, put, share } from "./store.js";
import * as upload from "./upload.js";
import * as viewer from "./viewer.js";
import { facts, w } from "./words.js";

/** @typedef {import("../types").Generation} Generation */

const WALL = 8;
const KEYS = ["?", "/", "n", "m", "g", "k", "v", "l", "s", "c", "d", "f", "Delete"]; // see hand.js
const ID = /^[0-9a-f]{32}$/;
/** @type {Map<string, {element: HTMLElement, update: (g: Generation) => void}>} */
const cards = new Map();
/** @typedef {{redraw: () => void, order: () => import("./viewer.js").Stop[], picking: () => boolean, end: () => void}} List */
/** @type {Record<string, List & {open?: (part: string) => void, add?: (g: Generation) => void}>} places that have been opened */
const lists = {};
let place = "";
let part = ""; // of a place: a collection of the closet
/** @type {typeof import("./offline.js") | null} once the page has rest */
let offline = null;

for (const link of document.querySelectorAll(".skip"))
  link.addEventListener("click", (event) => (event.preventDefault(), skip(link.getAttribute("href") || "#main")));
connection.listeners.add((up) => {
  const band = one("#connection");
  band.hidden = up;
  band.textContent = up ? "" : w("connection.lost");
  if (up) announce(w("connection.back"));
});
listen(hang);
Object.assign(studio, {
  fill: (/** @type {import("../types").Settings} */ values, /** @type {import("../types").Picture} */ picture) => {
    if (place !== "draw") location.hash = "#/";
    write(false);
    settings.set(values, picture);
    requestAnimationFrame(() => {
      composer.focus();
      one("#composer").scrollIntoView({ block: "nearest" });
    });
  },
  draw: composer.send,
  redraw: () => {
    past.redraw();
    Object.values(lists).forEach((s) => s.redraw());
    viewer.redraw();
  },
  rest: () => one(`[data-view=${place}] h1`).focus({ preventScroll: true }), // where the keyboard waits
});
composer.begin((generation) => bring(generation.id), chips.complete);
for (const way of ["sentence", "fields"])
  one(`#way-${way}`).addEventListener("click", () => write(way === "fields"));
walk(one(".ways"), "button")();
reading.begin((prompt) => studio.fill({ prompt }));
chips.begin({ prompt: one("#prompt"), set: settings.set });
settings.begin();
if (facts.drafts) import("./drafts.js").then((drafts) => drafts.begin());
upload.begin(start);
photos.begin(start);
me.begin(() => (share(""), clearWall(), wall()));
viewer.begin(() => (place === "draw" ? [...wallOrder(), ...past.order()] : (lists[place]?.order() ?? [])));
addEventListener("keydown", key);
addEventListener("hashchange", arrive);
document.addEventListener("visibilitychange", () => document.hidden || wall());
elsewhere(wall);
arrive();
wall();
begun(past.begin);
if ("serviceWorker" in navigator) window.setTimeout(rest, 3000);

/** Keep the last drawings for when there is no connection. */
async function rest() {
  const module = await import("./offline.js").catch(() => null);
  if (!module) return;
  offline = module;
  offline.sync([...cards.keys()].map(find).filter((g) => !!g));
  offline.begin();
}

/** @param {() => Promise<void>} work  done now, or once the server is there */
async function begun(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "offline") return complain(error);
    await connection.back();
    begun(work);
  }
}

/** @param {KeyboardEvent} event  a shortcut, where nobody writes */
async function key(event) {
  const { target } = event;
  const korean = event.key === "Process" || event.key > "~"; // an L is an ㅣ while Hangul is on
  const key = (korean && /^Key([A-Z])$/.exec(event.code)?.[1].toLowerCase()) || event.key;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (!KEYS.includes(key) || /** @type {Element} */ (target).closest?.("textarea, select, input:not([type=checkbox], [type=range])")) return;
  event.preventDefault();
  (await import("./hand.js")).press(key);
}

/** Show the place that the address names, and the picture it looks at. */
function arrive() {
  const link = fromLink(location.hash);
  if (link) {
    history.replaceState(null, "", "#/");
    settings.set({ seed: null, ...link }, null);
    announce(w("tell.filled"));
  }
  const [path, query = ""] = (location.hash || "#/").slice(2).split("?");
  const [first, rest = ""] = path.split("/");
  const next = ["fabric", "mine", "gallery", "closet", "me"].includes(first) ? first : "draw";
  if (next !== place || rest !== part) enter(next, rest);
  const [id, i] = (new URLSearchParams(query).get("look") || "").split(".");
  viewer.visit(ID.test(id) ? { id, i: Number(i) || 0, photo: i === "photo", picture: ID.test(i) ? i : "" } : null);
}

/** @param {boolean} byFields  draw from a sentence, or from name, colour and style */
async function write(byFields) {
  one("#way-sentence").setAttribute("aria-pressed", String(!byFields));
  one("#way-fields").setAttribute("aria-pressed", String(byFields));
  one("#composer").hidden = byFields;
  one("#fields").hidden = !byFields;
  if (byFields) (await import("./fields.js")).composeByFields((generation) => bring(generation.id));
}

/** @param {string} next @param {string} rest */
function enter(next, rest) {
  const first = !place;
  if (lists[place]?.picking()) lists[place].end();
  place = next;
  part = rest;
  for (const view of document.querySelectorAll("[data-view]"))
    view.toggleAttribute("hidden", /** @type {HTMLElement} */ (view).dataset.view !== place);
  for (const link of document.querySelectorAll("[data-place]")) {
    if (/** @type {HTMLElement} */ (link).dataset.place === place) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (place === "me") me.open();
  else if (place !== "draw") shelve(place, rest);
  if (first) return;
  scrollTo(0, 0);
  one(`[data-view=${place}] h1`).focus?.({ preventScroll: true });
}

/**
 * Show the pictures of a place, whose scripts come when it is first opened.
 * @param {string} name
 * @param {string} rest
 * @returns {Promise<void>}
 */
async function shelve(name, rest) {
  try {
    if (name === "closet") lists.closet = await import("./closet.js");
    else if (name === "fabric") lists.fabric = await import("./fabric.js");
    else if (!lists[name]) {
      const { shelf } = await import("./shelf.js");
      lists[name] ??= shelf(/** @type {"mine" | "gallery"} */ (name), () => ({ place: name }));
    }
  } catch (error) {
    if (!String(error).includes("dynamically imported")) throw error;
    connection.lost(); // the scripts did not come: the band says so
    await connection.back();
    if (place === name) await shelve(name, part);
    return;
  }
  if (place === name) lists[name].open?.(/^((on-)?[0-9a-f]{32}|liked)$/.test(rest) ? rest : "");
}

const goDraw = () => place !== "draw" && (location.hash = "#/");

/** @param {import("../types").Picture} picture  draw from it, with the person who brought it before the prompt */
function start(picture) {
  goDraw();
  write(false);
  settings.attach(picture);
}

/** @param {string} target  a heading that was skipped to; the address stays, since it says the place */
function skip(target) {
  if (target !== "#main") goDraw();
  requestAnimationFrame(() => {
    one(target).focus();
    one(target).scrollIntoView();
  });
}

/** The newest of one's own, the unfinished among them: what was left comes back, what was deleted elsewhere goes. */
async function wall() {
  const before = [...cards.keys()];
  await begun(async () => {
    const { items } = await get(`/generations?limit=${WALL}`);
    const oldest = items.length < WALL ? "" : items[items.length - 1].created_at;
    const gone = before.filter((id) => !items.some((g) => g.id === id) && (find(id)?.created_at ?? "") > oldest);
    gone.forEach(drop);
    if (gone.length) toast(w("done.elsewhere"));
    offline?.sync(items);
    items.reverse().forEach(put);
    one("#feed").dataset.asked = "yes";
    emptiness();
  });
}

function clearWall() {
  for (const { element } of cards.values()) element.remove();
  cards.clear();
  emptiness();
}

/** @param {string} id @param {Generation | null} generation @param {Generation | null} before */
function hang(id, generation, before) {
  const hung = cards.get(id);
  if (!generation || leaving.has(id)) {
    if (hung) takeDown(hung.element);
    cards.delete(id);
    return emptiness();
  }
  if (hung) hung.update(generation);
  else {
    const made = generationCard(generation);
    cards.set(id, made);
    const later = [...cards.keys()]
      .map((other) => find(other))
      .filter((g) => g && g.id !== id && g.created_at < generation.created_at)
      .sort((a, b) => (a && b && a.created_at < b.created_at ? 1 : -1))[0];
    one("#feed").insertBefore(made.element, (later && cards.get(later.id)?.element) || null);
    emptiness();
  }
  tell(generation, before);
  if (before && before.status !== "succeeded" && generation.status === "succeeded") lists.mine?.add?.(generation);
  document.title = [...cards.keys()].some((other) => ["queued", "running"].includes(find(other)?.status || ""))
    ? w("app.title_drawing")
    : w("app.title");
}

/** @param {HTMLElement} element  the keyboard, if it was there, goes to the next drawing, or to the prompt */
function takeDown(element) {
  const held = element.contains(document.activeElement);
  const next = element.nextElementSibling || element.previousElementSibling || one("#prompt");
  element.remove();
  if (held) next.focus({ preventScroll: true });
}

/** A first drawing needs a hand: examples to begin with while the wall is empty. */
function emptiness() {
  const feed = one("#feed");
  const there = feed.querySelector(".empty");
  if (cards.size || feed.dataset.asked !== "yes") return there?.remove();
  if (there) return;
  const lines = facts.examples
    .slice(0, 4)
    .map((e) => h("li", {}, h("button.line", { onclick: () => studio.fill({ prompt: e }) }, e)));
  fill(feed, [h("div.empty", {}, h("p", {}, w("feed.empty")), h("ul.plain", {}, lines))]);
}

/** @returns {{id: string, n: number}[]} */
const wallOrder = () =>
  [...one("#feed").children]
    .map((e) => find(e.dataset?.id))
    .filter((g) => g?.images.length)
    .map((/** @type {any} */ g) => ({ id: g.id, n: g.images.length }));

/** @param {string} id  put a new drawing before the person's eyes */
function bring(id) {
  if (place !== "draw") return; // who went elsewhere while it was being sent stays there
  requestAnimationFrame(() =>
    cards.get(id)?.element.scrollIntoView({
      block: "nearest",
      behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth",
    }),
  );
}
