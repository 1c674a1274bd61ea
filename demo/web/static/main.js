/**
 * Put the page together: places by address (#/, #/mine, #/gallery, #/me), the wall of one's drawings, the line about the connection.
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
import { pictureList } from "./picture_list.js";
import { drop, elsewhere, find, leaving, listen, put, share } from "./store.js";
import * as upload from "./upload.js";
import * as viewer from "./viewer.js";
import { facts, w } from "./words.js";

/** @typedef {import("../types").Generation} Generation */

const WALL = 8;
/** @type {Map<string, {element: HTMLElement, update: (g: Generation) => void}>} */
const cards = new Map();
/** @type {Record<string, ReturnType<typeof pictureList>>} */
const lists = { mine: pictureList("mine"), gallery: pictureList("gallery") };
let place = "";

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
addEventListener("hashchange", arrive);
document.addEventListener("visibilitychange", () => document.hidden || wall());
elsewhere(wall);
arrive();
wall();
begun(past.begin);

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

/** Show the place that the address names, and the picture it looks at. */
function arrive() {
  const link = fromLink(location.hash);
  if (link) {
    history.replaceState(null, "", "#/");
    settings.set({ seed: null, ...link }, null);
    announce(w("tell.filled"));
  }
  const [path, query = ""] = (location.hash || "#/").slice(2).split("?");
  const next = ["mine", "gallery", "me"].includes(path) ? path : "draw";
  if (next !== place) enter(next);
  const [id, i] = (new URLSearchParams(query).get("look") || "").split(".");
  viewer.visit(/^[0-9a-f]{32}$/.test(id) ? { id, i: Number(i) || 0, photo: i === "photo" } : null);
}

/** @param {boolean} byFields  draw from a sentence, or from name, colour and style */
async function write(byFields) {
  one("#way-sentence").setAttribute("aria-pressed", String(!byFields));
  one("#way-fields").setAttribute("aria-pressed", String(byFields));
  one("#composer").hidden = byFields;
  one("#fields").hidden = !byFields;
  if (byFields) (await import("./fields.js")).composeByFields((generation) => bring(generation.id));
}

/** @param {string} next */
function enter(next) {
  const first = !place;
  place = next;
  for (const view of document.querySelectorAll("[data-view]"))
    view.toggleAttribute("hidden", /** @type {HTMLElement} */ (view).dataset.view !== place);
  for (const link of document.querySelectorAll("[data-place]")) {
    if (/** @type {HTMLElement} */ (link).dataset.place === place) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  lists[place]?.open();
  if (place === "me") me.open();
  if (first) return;
  scrollTo(0, 0);
  one(`[data-view=${place}] h1`).focus?.({ preventScroll: true });
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
  if (before && before.status !== "succeeded" && generation.status === "succeeded") lists.mine.add(generation);
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
