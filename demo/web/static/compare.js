/**
 * Two pictures of one's choice, one over the other under a slider.
 */
import { h, one } from "./dom.js";
import { alt } from "./pictures.js";
import { open } from "./say.js";
import { w } from "./words.js";

/** @typedef {import("../types").Item} Item */

/** @param {[Item, Item]} pair  the left one first */
export function compare([left, right]) {
  const dialog = /** @type {HTMLDialogElement} */ (one("#ask"));
  const side = Math.max(left.width, right.width);
  const slider = h("input", {
    type: "range",
    min: 0,
    max: 100,
    value: 50,
    "aria-label": w("compare.slider"),
    oninput: () => figure.style.setProperty("--cut", `${slider.value}%`),
  });
  const figure = h(
    "figure.picture",
    { className: "picture comparing", vars: { "--cut": "50%", "--natural": `${side}px` } },
    h("img", { src: right.url, alt: alt(right, right.prompt), draggable: false }),
    h("img.before", { src: left.url, alt: alt(left, left.prompt), draggable: false }),
    h("span.cut", { "aria-hidden": "true" }),
    h("span.side.left", { "aria-hidden": "true" }, w("compare.left")),
    h("span.side.right", { "aria-hidden": "true" }, w("compare.right")),
    slider,
  );
  dialog.replaceChildren(
    h(
      "form.two",
      { method: "dialog" },
      h("h2", { id: "ask-title" }, w("compare.title")),
      figure,
      h("p.soft", {}, `${w("compare.left")}: ${left.prompt || w("alt.upload")}`),
      h("p.soft", {}, `${w("compare.right")}: ${right.prompt || w("alt.upload")}`),
      h("div.actions", {}, h("button.primary", { type: "submit" }, w("look.close"))),
    ),
  );
  open(dialog);
  slider.focus();
}
