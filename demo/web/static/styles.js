/**
 * The styles of a drawing, chosen by their pictures: one, and beside it a second of the checkpoint's LoRA with a strength of its own.
 */
import { cellOf } from "./cells.js";
import { h, one } from "./dom.js";
import { facts, lang } from "./words.js";

/** @typedef {import("../types").StyleUse} StyleUse */

const WEIGHT = facts.limits.ranges.draw.style_weight;

/** @type {{id: string, kind: string, label: string}[]} */
let known = [];
// what a recipe or a draft asked for, as long as it has not arrived: once it is shown, the form alone says what is chosen
let awaited = "";
/** @type {StyleUse | undefined} */
let awaitedBeside;

/** @param {import("../types").StyleOffer[]} styles  all that can be drawn with now */
export function offer(styles) {
  known = styles.map((s) => ({ id: s.name, kind: s.kind, label: s.label[lang] }));
  const picture = (/** @type {import("../types").StyleOffer} */ s) =>
    s.cell === null
      ? h("span.cell", { "aria-hidden": "true", data: { initial: [...s.label[lang]][0] } })
      : cellOf(s.cell, "style");
  const cell = (/** @type {import("../types").StyleOffer} */ s, /** @type {string} */ name) =>
    h("label", {}, picture(s), s.label[lang], h("input", { type: "radio", name, value: s.name }));
  const lora = styles.filter((s) => s.kind === "lora");
  const fields = new FormData(/** @type {HTMLFormElement} */ (one("#composer")));
  const [first, others] = [String(fields.get("style") || "") || awaited, beside(fields)];
  fill(one("#styles"), styles.map((s) => cell(s, "style")));
  fill(one("#beside .style-cells"), lora.map((s) => cell(s, "beside")));
  one("#beside").hidden = !lora.length;
  choose(first);
  chooseBeside(others.length ? others : awaitedBeside && [awaitedBeside]);
}

/** @param {string} style  by its id; one that is not there, or not yet, is none */
export function choose(style) {
  awaited = known.some((s) => s.id === style) ? "" : style;
  check("#styles", style);
}

/** @param {StyleUse[]} [uses]  the first that is offered is drawn beside the chosen one */
export function chooseBeside(uses = []) {
  const use = uses.find((use) => isLora(use.name)) ?? uses[0];
  awaitedBeside = use && !isLora(use.name) ? use : undefined;
  check("#beside", use?.name ?? "");
  slider().value = String(use?.weight ?? WEIGHT.default);
}

/** @param {FormData} fields @returns {StyleUse[]} */
export function beside(fields) {
  const name = String(fields.get("beside") || "");
  return name ? [{ name, weight: Number(fields.get("beside_weight")) }] : [];
}

/** Once something was chosen: the same style is not offered twice, and the strength stands beside its slider. */
export function render() {
  const first = new FormData(/** @type {HTMLFormElement} */ (one("#composer"))).get("style");
  for (const input of one("#beside").querySelectorAll("input[type=radio]")) {
    if (!(input instanceof HTMLInputElement) || !input.value) continue;
    /** @type {HTMLElement} */ (input.parentElement).hidden = input.value === first;
    if (input.checked && input.value === first) check("#beside", "");
  }
  const checked = one("#beside").querySelector(":checked");
  const use = checked instanceof HTMLInputElement && checked.value;
  one("#beside-strength").hidden = !use;
  one("#beside-strength output").textContent = slider().value;
}

/** @param {string} id */
export const isLora = (id) => known.some((s) => s.id === id && s.kind === "lora");

/** @param {string} id @returns {string} what people call a drawing style: 수묵화 for ink_wash */
export const styleName = (id) => known.find((s) => s.id === id)?.label ?? id;

/** @param {HTMLElement} place @param {HTMLElement[]} cells  in the place of those that are there, but for the first: no style */
const fill = (place, cells) => place.replaceChildren(/** @type {HTMLElement} */ (place.firstElementChild), ...cells);

/** @param {string} place @param {string} id */
function check(place, id) {
  const there = known.some((s) => s.id === id) ? id : "";
  for (const input of one(place).querySelectorAll("input[type=radio]"))
    if (input instanceof HTMLInputElement) input.checked = input.value === there;
}

const slider = () => /** @type {HTMLInputElement} */ (one("#beside-strength input"));
