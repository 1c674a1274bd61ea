/**
 * Similar past prompts with their pictures, found while one types and answered with every drawing; the gallery before that.
 */
import { get } from "./api.js";
import { h, icon, one, settled, walk } from "./dom.js";
import { again, alt, asPast, near, shownOf, studio } from "./pictures.js";
import { complain } from "./say.js";
import { w } from "./words.js";

/** @typedef {import("../types").Past} Past */

const MOST = 600; // letters to search by: more than is read, and an address that every server takes

let aborter = new AbortController();
/** @type {Past[]} */
let gallery = [];
/** @type {Past[]} */
let all = [];
/** @type {Past[]} */
let shown = [];

const marked = walk(one("#similar"), ".past:not([aria-hidden])");

/** Fill the strip with public pictures until there is a prompt. */
export async function begin() {
  const { items } = await get("/gallery?limit=12&first=true");
  gallery = items.map(asPast);
  if (!shown.length) render(gallery, "similar.gallery");
}

/** Look for prompts like this one, once the typing rests; an answer that was overtaken is dropped. */
export const seek = settled(async (/** @type {string} */ prompt) => {
  aborter.abort();
  aborter = new AbortController();
  const q = prompt.normalize("NFC").trim();
  if (!q) return render(gallery, "similar.gallery");
  try {
    const { results } = await get(`/search?k=12&q=${encodeURIComponent(q.slice(0, MOST))}`, aborter.signal);
    found(results);
  } catch {
    // Overtaken by the next letter, or no connection: what is there stays, and the band says so.
  }
}, 170);

/** @param {Past[]} results  also the `similar` of a 202 */
export function found(results) {
  const like = near(results);
  if (like.length) render(like, "similar.found");
  else render(gallery, "similar.none");
}

/** @returns {{id: string, n: number}[]} */
export const order = () => shown.map((item) => ({ id: item.generation_id, n: item.images.length }));

/** Draw the strip again, without what was deleted. */
export const redraw = () => render(all);

/** @param {Past[]} items @param {string} [title] */
function render(items, title) {
  all = items;
  shown = shownOf(all);
  const strip = one("#similar");
  if (title) {
    one("#similar-title").textContent = w(title);
    strip.scrollLeft = 0;
  }
  const key =
    document.activeElement instanceof HTMLElement && strip.contains(document.activeElement)
      ? document.activeElement.dataset.key
      : "";
  strip.replaceChildren(
    ...(shown.length
      ? shown.map(card)
      : Array.from({ length: 6 }, () => h("li.past", { "aria-hidden": "true" }, h("span.frame.ghost")))),
  );
  marked();
  if (key) strip.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** @param {string} id  what is found knows its seed; all else that it was drawn with is asked for */
async function same(id) {
  try {
    again(await get(`/generations/${id}`), true);
  } catch (error) {
    complain(error);
  }
}

/** @param {Past} item */
function card(item) {
  const { generation_id: id, prompt, images } = item;
  const key = (/** @type {string} */ name) => ({ key: `${name}-${id}` });
  const act = (/** @type {string} */ name, /** @type {string} */ symbol, /** @type {() => void} */ onclick) =>
    h(
      `button.tool${name === "use" ? ".wide" : ""}`,
      { onclick, title: w(`do.${name}`), "aria-label": `${w(`do.${name}`)}: ${prompt}`, data: key(name) },
      icon(symbol),
      name === "use" && w("do.use_short"),
    );
  return h(
    "li.past",
    {},
    h(
      "a.piece",
      { href: `#/?look=${id}.0`, data: key("look") },
      h(
        "span.frame",
        {},
        h("img", {
          src: images[0].thumbnail_url,
          alt: alt(images[0], prompt),
          decoding: "async",
          width: 256,
          height: 256,
        }),
      ),
      h("span.title", { "aria-hidden": "true" }, prompt),
    ),
    h(
      "div.past-acts",
      {},
      act("use", "text", () => studio.fill({ prompt })),
      act("same", "again", () => same(id)),
      act("from", "from", () => studio.fill({ prompt }, images[0])),
    ),
  );
}
