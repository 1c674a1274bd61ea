/**
 * A place full of pictures: one's own, the gallery, a collection, what one likes. Sorted, filtered and searched by the
 * server; loaded page by page as one scrolls. Only what is near the screen is in the document, so that ten thousand
 * pictures scroll like a hundred.
 */
import { Problem, connection, get } from "./api.js";
import { fill, h, icon, one, settled } from "./dom.js";
import { cardOf } from "./shelf_card.js";
import { complain } from "./say.js";
import { leaving } from "./store.js";
import { shelfTools } from "./shelf_tools.js";
import { lang, number, w } from "./words.js";

/**
 * @typedef {import("../types").Item} Item
 * @typedef {{id: string, n: number, picture?: string, photo?: boolean}} Stop  see viewer.js
 * @typedef {{element: HTMLElement, items: Item[], filled: boolean, near: boolean}} Chunk  a page of pictures
 * @typedef {import("./shelf_pick.js").Picking} Picking
 */

const PAGE = 60;
const TOGETHER = 30; // pictures that are drawn in one task: half a page, so that scrolling does not stop
const AHEAD = 3000; // pixels beyond the screen that are kept filled: some eleven rows
const MOST = 600; // letters to search by: more than is read, and an address that every server takes
const HOLD_MS = 450;

/**
 * @param {"mine" | "gallery" | "closet"} place
 * @param {() => Record<string, string>} which  what of the server's lists is shown: place, collection
 */
export function shelf(place, which) {
  const list = one(`#${place}-list`);
  const search = /** @type {HTMLInputElement} */ (one(`#${place}-search`));
  const more = one(`#${place}-more`);
  const count = one(`#${place}-count`);
  const tools = shelfTools(place, () => page(true), () => pick());
  const state = {
    /** @type {Chunk[]} */ chunks: [],
    /** @type {Item[]} of a set whose other pictures come with the next page */ held: [],
    /** @type {Set<string>} every picture that is here, by its id */ have: new Set(),
    /** @type {string | null} */ cursor: null,
    /** @type {number | null} */ total: null,
    query: "",
    asked: false,
    busy: false,
    /** @type {Picking | null} */ picking: null,
  };
  let aborter = new AbortController();
  one(`#${place}-tools`).replaceChildren(tools.element);

  const sets = () => place !== "closet" && !state.picking && (state.query !== "" || tools.dated());
  const items = () => [...state.chunks.flatMap((chunk) => chunk.items), ...state.held];
  const shown = () => items().filter(stays);

  /** @param {boolean} [fresh]  from the beginning; what is shown stays until the answer */
  async function page(fresh) {
    if (fresh) (aborter.abort(), (aborter = new AbortController()));
    else if (state.busy || !state.cursor) return;
    const { signal } = aborter;
    state.busy = true;
    const asked = new URLSearchParams({ ...which(), ...tools.query(), limit: String(PAGE) });
    if (state.query) asked.set("q", state.query.slice(0, MOST));
    if (!fresh && state.cursor) asked.set("cursor", state.cursor);
    try {
      const answer = await get(`/pictures?${asked}`, signal);
      take(answer, Boolean(fresh));
    } catch (error) {
      if (signal.aborted) return; // overtaken: the newer one goes on
      if (error instanceof Problem && error.code === "offline")
        connection.back().then(() => (state.asked ? undefined : page(true)));
      else complain(error);
      const wait = error instanceof Problem && error.status === 429 ? error.retryAfter || 5 : 0; // it goes on by itself then
      if (wait) setTimeout(() => signal.aborted || page(fresh), 1000 * wait);
    }
    state.busy = false;
    tell();
  }

  /** @param {import("../types").ListPage} answer @param {boolean} fresh */
  function take(answer, fresh) {
    const kept = state.chunks;
    if (fresh) Object.assign(state, { chunks: [], held: [], have: new Set(), total: answer.total });
    const came = [...state.held, ...answer.items.filter((item) => !state.have.has(item.id))];
    for (const item of came) state.have.add(item.id);
    state.cursor = answer.next_cursor;
    state.held = sets() && state.cursor ? came.filter((item) => item.generation_id === came[came.length - 1].generation_id) : [];
    const chunks = parted(came.slice(0, came.length - state.held.length));
    state.chunks.push(...chunks);
    state.asked = true;
    chunks.forEach((chunk, i) => (fresh || i === 0 ? draw(chunk) : setTimeout(() => !chunk.filled && chunk.near && draw(chunk))));
    const elements = chunks.map((chunk) => chunk.element);
    if (fresh) {
      kept.forEach(drop);
      fill(list, elements);
    } else list.append(...elements);
    elements.forEach((element) => nearby.observe(element));
  }

  /** @param {Item[]} items  of a page @returns {Chunk[]} sets stay whole */
  function parted(items) {
    /** @type {Item[][]} */
    const parts = [[]];
    for (const set of grouped(items, sets())) {
      if (parts[parts.length - 1].length >= TOGETHER) parts.push([]);
      parts[parts.length - 1].push(...set);
    }
    return parts.map((part) => ({ element: h("div.chunk"), items: part, filled: false, near: true }));
  }

  /** What is far from the screen leaves the document, and its height stays. What comes near is drawn in a task of its own. */
  const nearby = new IntersectionObserver(
    (seen) => {
      for (const { target, isIntersecting } of seen) {
        const chunk = state.chunks.find((c) => c.element === target);
        if (!chunk || !(/** @type {HTMLElement} */ (target).offsetHeight)) continue;
        chunk.near = isIntersecting;
        if (isIntersecting) setTimeout(() => chunk.near && !chunk.filled && draw(chunk));
        else if (chunk.filled && !target.contains(document.activeElement)) empty(chunk);
      }
    },
    { rootMargin: `${AHEAD}px 0px` },
  );

  /** @param {Chunk} chunk */
  function empty(chunk) {
    chunk.element.style.height = `${chunk.element.offsetHeight}px`;
    cease(chunk.element);
    chunk.element.replaceChildren();
    chunk.filled = false;
  }

  /** @param {Chunk} chunk  of a list that is not shown any more */
  function drop(chunk) {
    chunk.near = false;
    nearby.unobserve(chunk.element);
    cease(chunk.element);
  }

  /** @param {Chunk} chunk */
  function draw(chunk) {
    chunk.filled = true;
    chunk.element.style.height = "";
    const cards = grouped(chunk.items.filter(stays), sets());
    const card = (/** @type {Item[]} */ set) => cardOf(set, which(), state.query, state.picking);
    if (place !== "mine" || state.query || !tools.dated()) return fill(chunk.element, cards.length ? [h("ul.grid", {}, cards.map(card))] : []);
    const before = state.chunks[state.chunks.indexOf(chunk) - 1];
    let last = before ? dayOf(before.items[before.items.length - 1]) : "";
    const parts = [];
    for (const [day, sets] of days(cards)) {
      if (day !== last) parts.push(h("h2.day", {}, day));
      parts.push(h("ul.grid", {}, sets.map(card)));
      last = day;
    }
    fill(chunk.element, parts);
  }

  /** Say how many there are, or that there is nothing. */
  function tell() {
    more.hidden = !state.cursor;
    const own = place === "mine";
    const all = state.chunks.reduce((sum, chunk) => sum + chunk.items.length, state.held.length);
    const going = leaving.size ? all - shown().length : 0;
    const left = all - going;
    const n = number((state.total ?? left) - going);
    const filtered = state.query || tools.filtering();
    if (state.asked && !left && !state.cursor) {
      count.textContent = filtered ? w("list.none") : place === "gallery" ? w("list.gallery") : "";
      if (!list.querySelector(".empty")) fill(list, filtered ? [] : [nothing(place)]);
      return;
    }
    list.querySelector(".empty")?.remove();
    if (!state.asked) return fill(list, ghosts());
    if (state.query) count.textContent = w("list.found", { n });
    else count.textContent = own || filtered || place === "closet" ? w("list.total", { n }) : w("list.gallery");
  }

  function redraw() {
    for (const chunk of state.chunks) {
      if (!chunk.filled) continue;
      if (!chunk.element.isConnected) list.append(chunk.element);
      draw(chunk);
    }
    tell();
    state.picking?.tell();
  }

  /** @param {Item} [first]  choose several pictures, this one among them */
  async function pick(first) {
    if (state.picking) return end();
    const { picking } = await import("./shelf_pick.js");
    state.picking = picking({ place, which, shown, end, redraw, reload: () => page(true) });
    tools.picking(true);
    if (first) state.picking.choose(first, true, false);
    redraw();
    if (state.held.length) page(true); // sets fall apart into their pictures
  }

  function end() {
    state.picking?.close();
    state.picking = null;
    tools.picking(false);
    redraw();
  }

  /** @param {Event} event @returns {Item | undefined} */
  const itemAt = (event) => {
    const id = /** @type {HTMLElement} */ (event.target).closest("li")?.dataset.id;
    return id ? items().find((item) => item.id === id) : undefined;
  };

  list.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const item = itemAt(event);
    if (!item || target.closest(".heart")) return;
    if (!state.picking) {
      if (event.shiftKey && target.closest(".piece")) (event.preventDefault(), pick(item));
      return;
    }
    const box = target instanceof HTMLInputElement ? target : null;
    if (!box) event.preventDefault();
    state.picking.choose(item, box ? box.checked : !state.picking.has(item.id), event.shiftKey);
    for (const chunk of state.chunks) if (chunk.filled && event.shiftKey) draw(chunk);
    state.picking.mark(list);
  });
  let hold = 0;
  list.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    const item = event.pointerType === "mouse" || state.picking ? undefined : itemAt(event);
    clearTimeout(hold);
    if (item) hold = window.setTimeout(() => pick(item), HOLD_MS);
  });
  for (const name of ["pointerup", "pointercancel", "pointermove"])
    list.addEventListener(name, (/** @type {PointerEvent} */ e) => (name !== "pointermove" || Math.hypot(e.movementX, e.movementY) > 6) && clearTimeout(hold));
  list.addEventListener("contextmenu", (/** @type {PointerEvent} */ e) => e.pointerType === "touch" && itemAt(e) && e.preventDefault());
  /** @param {boolean} other  another list than before: nothing of it stays */
  function enter(other) {
    if (other) {
      if (state.picking) end();
      search.value = state.query = "";
      state.chunks.forEach(drop);
      Object.assign(state, { chunks: [], held: [], have: new Set(), cursor: null, total: null, asked: false });
      fill(list, []);
    }
    page(true);
    tell();
  }

  search.addEventListener(
    "input",
    settled(() => {
      state.query = search.value.normalize("NFC").trim();
      page(true);
    }, 160),
  );
  more.addEventListener("click", () => page());
  new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && !more.hidden && page(), {
    rootMargin: "1200px",
  }).observe(more);

  return {
    open: () => enter(false),
    enter,
    /** @param {import("../types").Generation} generation  one that has just been finished */
    add(generation) {
      if (state.asked && place === "mine" && !state.query && generation.images.length) page(true);
    },
    redraw,
    picking: () => Boolean(state.picking),
    end,
    /** @returns {Stop[]} */
    order: () =>
      grouped(shown(), sets()).map((set) =>
        sets()
          ? { id: String(set[0].generation_id), n: set.length }
          : { id: set[0].generation_id ?? set[0].id, n: 1, picture: set[0].id, photo: set[0].kind === "upload" },
      ),
  };
}

/** @param {HTMLElement} element  its pictures that are still on their way are not waited for: hundreds would stand before a search */
function cease(element) {
  for (const picture of element.querySelectorAll("img")) if (!picture.complete) picture.removeAttribute("src");
}

/** @param {Item} item */
const stays = (item) => !leaving.has(item.id) && !leaving.has(item.generation_id ?? "");

/** @param {Item[]} items @param {boolean} sets @returns {Item[][]} what stands on one card */
function grouped(items, sets) {
  /** @type {Item[][]} */
  const cards = [];
  for (const item of items) {
    const last = cards[cards.length - 1];
    if (sets && last && last[0].generation_id === item.generation_id) last.push(item);
    else cards.push([item]);
  }
  return cards;
}

const today = new Date();
const format = new Intl.DateTimeFormat(lang, { dateStyle: "long" });

/** @param {Item} item @returns {string} the day in this person's place */
function dayOf(item) {
  const date = new Date(item.created_at);
  const back = (/** @type {number} */ n) => new Date(today.getFullYear(), today.getMonth(), today.getDate() - n).toDateString();
  if (date.toDateString() === back(0)) return w("time.today");
  return date.toDateString() === back(1) ? w("time.yesterday") : format.format(date);
}

/** @param {Item[][]} cards @returns {[string, Item[][]][]} */
function days(cards) {
  /** @type {[string, Item[][]][]} */
  const groups = [];
  for (const card of cards) {
    const day = dayOf(card[0]);
    const last = groups[groups.length - 1];
    if (last?.[0] === day) last[1].push(card);
    else groups.push([day, [card]]);
  }
  return groups;
}

/** @param {string} place */
const nothing = (place) =>
  h(
    "div.empty",
    {},
    h("p", {}, w(`list.${place}_empty`)),
    place === "closet"
      ? h("a.button.primary", { href: "#/gallery" }, icon("gallery"), w("list.browse"))
      : h("a.button.primary", { href: "#/" }, w("list.start")),
  );

const ghosts = () => [
  h(
    "ul.grid",
    { "aria-hidden": "true" },
    Array.from({ length: 12 }, () => h("li", {}, h("span.frame.ghost"))),
  ),
];
