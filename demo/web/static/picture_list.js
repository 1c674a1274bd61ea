/**
 * A place full of pictures with a search: one's own (`mine`) and the public gallery. Both list by page and search as one types.
 */
import { Problem, connection, get } from "./api.js";
import { fill, h, icon, one, settled } from "./dom.js";
import { alt, asPast, marked, near, shownOf } from "./pictures.js";
import { complain } from "./say.js";
import { lang, number, w } from "./words.js";

/**
 * @typedef {import("../types").Generation} Generation
 * @typedef {import("../types").Past} Past
 */

const MOST = 600; // letters to search by: more than is read, and an address that every server takes

/**
 * @param {"mine" | "gallery"} place
 * @returns {{open: () => void, add: (generation: Generation) => void, redraw: () => void, order: () => {id: string, n: number}[]}}
 */
export function pictureList(place) {
  const list = one(`#${place}-list`);
  const search = /** @type {HTMLInputElement} */ (one(`#${place}-search`));
  const more = one(`#${place}-more`);
  const count = one(`#${place}-count`);
  const state = {
    /** @type {Past[]} */ items: [],
    /** @type {Past[] | null} */ found: null,
    query: "",
    /** @type {string | null} */ cursor: null,
    asked: false,
    busy: false,
  };
  let aborter = new AbortController();

  /** @param {boolean} [fresh]  from the newest again; what is shown stays until the answer */
  async function page(fresh) {
    if (state.busy) return;
    state.busy = true;
    try {
      const cursor = fresh || !state.cursor ? "" : `&cursor=${encodeURIComponent(state.cursor)}`;
      const { items, next_cursor } = await get(
        `${place === "mine" ? "/generations" : "/gallery"}?limit=36${cursor}`,
        aborter.signal,
      );
      if (fresh) state.items = [];
      const have = new Set(state.items.map((item) => item.generation_id));
      state.items.push(
        ...items.map(asPast).filter((item) => item.images.length && !have.has(item.generation_id)),
      );
      state.cursor = next_cursor;
      state.asked = true;
    } catch (error) {
      if (error instanceof Problem && error.code === "offline")
        connection.back().then(() => (state.asked ? undefined : page(true)));
      else complain(error);
    }
    state.busy = false;
    redraw();
  }

  const look = settled(async () => {
    aborter.abort();
    aborter = new AbortController();
    const q = search.value.normalize("NFC").trim();
    if (!q) {
      state.found = null;
      state.query = "";
      return redraw();
    }
    try {
      const scope = place === "mine" ? "mine" : "public";
      const path = /** @type {const} */ (`/search?k=60&scope=${scope}&q=${encodeURIComponent(q.slice(0, MOST))}`);
      state.found = near((await get(path, aborter.signal)).results);
      state.query = q;
      redraw();
    } catch (error) {
      complain(error);
    }
  }, 160);

  function redraw() {
    const shown = shownOf(state.found || state.items);
    more.hidden = Boolean(state.found) || !state.cursor;
    const own = place === "mine";
    if (state.found) count.textContent = shown.length ? w("list.found", { n: number(shown.length) }) : w("list.none");
    else count.textContent = own ? "" : w("list.gallery");
    if (!shown.length && !state.found && state.asked) return fill(list, [empty(own)]);
    if (!state.asked && !state.found) return fill(list, ghosts());
    fill(
      list,
      state.found || !own
        ? [
            h(
              "ul.grid",
              {},
              shown.map((item) => card(item, place, state.query)),
            ),
          ]
        : days(shown).flatMap(([day, items]) => [
            h("h2.day", {}, day),
            h(
              "ul.grid",
              {},
              items.map((item) => card(item, place, "")),
            ),
          ]),
    );
  }

  search.addEventListener("input", look);
  more.addEventListener("click", () => page());
  new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && !more.hidden && page(), {
    rootMargin: "400px",
  }).observe(more);
  return {
    open() {
      page(true);
      redraw();
    },
    add(generation) {
      if (!state.asked || state.items.some((item) => item.generation_id === generation.id)) return;
      state.items.push(asPast(generation));
      state.items.sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
      redraw();
    },
    redraw,
    order: () =>
      shownOf(state.found || state.items).map((item) => ({ id: item.generation_id, n: item.images.length })),
  };
}

/** @param {Past} item @param {string} place @param {string} query */
function card(item, place, query) {
  const n = item.images.length;
  return h(
    "li",
    {},
    h(
      "a.piece",
      { href: `#/${place}?look=${item.generation_id}.0`, data: { key: item.generation_id } },
      h(
        "span.frame",
        {},
        h("img", {
          src: item.images[0].thumbnail_url,
          alt: alt(item.images[0], item.prompt),
          loading: "lazy",
          decoding: "async",
          width: 256,
          height: 256,
        }),
        n > 1 && h("span.badge", { "aria-hidden": "true" }, icon("mine"), n),
      ),
      h("span.title", { "aria-hidden": "true" }, marked(item.prompt, query)),
    ),
  );
}

/** @param {Past[]} items @returns {[string, Past[]][]} grouped by the day in this person's place */
function days(items) {
  /** @type {Map<string, Past[]>} */
  const groups = new Map();
  const today = new Date();
  const format = new Intl.DateTimeFormat(lang, { dateStyle: "long" });
  const same = (/** @type {Date} */ a, /** @type {number} */ back) =>
    a.toDateString() === new Date(today.getFullYear(), today.getMonth(), today.getDate() - back).toDateString();
  for (const item of items) {
    const date = new Date(item.created_at);
    const day = same(date, 0) ? w("time.today") : same(date, 1) ? w("time.yesterday") : format.format(date);
    groups.set(day, [...(groups.get(day) || []), item]);
  }
  return [...groups];
}

/** @param {boolean} own */
const empty = (own) =>
  h(
    "div.empty",
    {},
    h("p", {}, w(own ? "list.mine_empty" : "list.gallery_empty")),
    h("a.button.primary", { href: "#/" }, w("list.start")),
  );

const ghosts = () => [
  h(
    "ul.grid",
    { "aria-hidden": "true" },
    Array.from({ length: 12 }, () => h("li", {}, h("span.frame.ghost"))),
  ),
];
