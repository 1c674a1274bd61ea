/**
 * One card of a shelf: a set of pictures, or a single one with its heart and, while several are chosen, its box.
 */
import { h, icon } from "./dom.js";
import { heart } from "./hearts.js";
import { alt, marked } from "./pictures.js";
import { w } from "./words.js";

/** @typedef {import("../types").Item} Item */

/**
 * @param {Item[]} set
 * @param {Record<string, string>} which  of the shelf: its place, its collection
 * @param {string} query
 * @param {import("./shelf_pick.js").Picking | null} picking
 */
export function cardOf(set, which, query, picking) {
  const [item] = set;
  const n = set.length;
  return h(
    "li",
    { data: { id: item.id }, className: picking?.has(item.id) ? "picked" : "" },
    h(
      "a.piece",
      { href: `#/${pathOf(which)}?look=${lookAt(item, n)}`, data: { key: item.id }, draggable: !picking },
      h(
        "span.frame",
        {},
        h("img", { src: item.thumbnail_url, alt: alt(item, item.prompt), loading: "lazy", decoding: "async", width: 256, height: 256 }),
        n > 1 && h("span.badge", { "aria-hidden": "true" }, icon("mine"), n),
        n === 1 && item.mine && item.visibility === "public" && h("span.badge", { title: w("fact.public") }, icon("world"), h("span.sr", {}, w("fact.public"))),
      ),
      h("span.title", { "aria-hidden": "true" }, marked(item.prompt || w("alt.upload"), query)),
    ),
    picking &&
      h("input.pick", {
        type: "checkbox",
        checked: picking.has(item.id),
        "aria-label": w("pick.one", { prompt: item.prompt || w("alt.upload") }),
        data: { key: `pick-${item.id}` },
      }),
    n === 1 && !picking && heart(item, item.prompt),
  );
}

/** @param {Record<string, string>} which @returns {string} the place's part of the address */
export const pathOf = ({ place, collection }) =>
  place === "closet" ? `closet/${collection}` : place === "liked" ? "closet/liked" : place;

/** @param {Item} item @param {number} n  pictures on its card */
function lookAt(item, n) {
  if (item.kind === "upload") return `${item.id}.photo`;
  return `${item.generation_id}.${n > 1 ? 0 : item.id}`;
}
