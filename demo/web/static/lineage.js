/**
 * Where a picture came from and what was made from it, as a tree that one walks along: the oldest first, the picture that
 * is looked at in its place, below it what was made from it.
 */
import { h } from "./dom.js";
import { w } from "./words.js";

/** @typedef {import("../types").Relative} Relative */

let open = true;

/**
 * @param {import("../types").Picture} picture
 * @param {string} prompt
 * @param {import("../types").ImageInfo} info
 * @param {(picture: import("../types").Picture) => void} goTo
 * @returns {HTMLElement[]}  nothing for a picture without relatives
 */
export function lineageOf(picture, prompt, info, goTo) {
  const gone = info.line_state !== "none" && info.line_state !== "shown" ? info.line_state : "";
  if (!gone && !info.ancestors.length && !info.children.length) return [];
  const node = (/** @type {Relative} */ one, /** @type {boolean} */ here, /** @type {(HTMLElement | null)[]} */ below) =>
    h(
      "li",
      {},
      h(
        "button.relative",
        { "aria-current": here ? "true" : undefined, onclick: () => here || goTo(one), data: { key: `kin-${one.id}` } },
        h("img", { src: one.thumbnail_url, alt: "", width: 44, height: 44, loading: "lazy" }),
        h("span", {}, one.prompt || w(one.kind === "upload" ? "alt.upload" : "tree.picture"), here && h("small", {}, w("tree.here"))),
      ),
      below.length > 0 && h("ul", {}, below),
    );
  const children = info.children.map((child) => node(child, false, []));
  const line = info.ancestors.reduce(
    (below, one) => node(one, false, [below]),
    node({ ...picture, prompt }, true, children),
  );
  return [
    h(
      "details.lineage",
      { open, ontoggle: (/** @type {any} */ event) => (open = event.target.open) },
      h("summary", {}, w("tree.title")),
      gone && h("p.soft", {}, w(`tree.${gone}`)),
      h("ul.tree", { "aria-label": w("tree.title") }, line),
    ),
  ];
}
