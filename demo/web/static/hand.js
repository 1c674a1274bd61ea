/**
 * Keys for those who keep their hands on them: each presses what can be seen, so that a key does what its button says. The
 * list of them is on `?`, with a switch that turns single letters off. Loaded at the first of these keys.
 */
import { h, one } from "./dom.js";
import { open } from "./say.js";
import { w } from "./words.js";

const OFF = "keys-off"; // in this browser

/** In the viewer: key → the button that it presses. */
const VIEWER = {
  l: "[data-key^=heart-]",
  s: "[data-key=stow]",
  c: "[data-key=copy_picture]",
  d: "[data-key=png]",
  f: "[data-key=full]",
  Delete: "[data-key=delete]",
};
/** Elsewhere: key → what is pressed or takes the keyboard. */
const PAGE = { "/": "section:not([hidden]) [type=search], #prompt", n: "[data-place=draw]", m: "[data-place=mine]", g: "[data-place=gallery]", k: "[data-place=closet]", v: "section:not([hidden]) [data-key=pick]" };

/** What the list says of keys that are handled elsewhere. */
const OTHERS = { arrows: "← →", escape: "Esc", up: "↑", enter: "Enter" };

/** @param {string} key */
export function press(key) {
  const viewer = document.querySelector("#viewer[open]");
  if (key === "?") return help();
  if (localStorage.getItem(OFF) && key.length === 1) return;
  if (document.querySelector("#ask[open]")) return;
  const selector = /** @type {Record<string, string>} */ (viewer ? VIEWER : PAGE)[key];
  const found = /** @type {HTMLElement | undefined} */ (
    [...(viewer ?? document).querySelectorAll(selector || "none")].find((e) => e.checkVisibility())
  );
  if (!found) return;
  if (found.matches("input, textarea")) found.focus();
  else found.click();
  if (key === "n") requestAnimationFrame(() => one("#prompt").focus());
}

/** Show what each key does. */
function help() {
  const dialog = /** @type {HTMLDialogElement} */ (one("#ask"));
  if (dialog.open) return;
  const row = (/** @type {string} */ key, /** @type {string} */ words) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, words)];
  const rows = (/** @type {Record<string, string>} */ keys) =>
    Object.keys(keys).flatMap((key) => row(key.length > 1 ? key : key.toUpperCase(), w(`key.${key === "/" ? "find" : key.toLowerCase()}`)));
  const letters = h("input", {
    type: "checkbox",
    role: "switch",
    checked: !localStorage.getItem(OFF),
    onchange: () => (letters.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "yes")),
  });
  dialog.replaceChildren(
    h(
      "form.keys",
      { method: "dialog" },
      h("h2", { id: "ask-title" }, w("key.title")),
      h("h3", {}, w("key.everywhere")),
      h("dl", {}, row("?", w("key.help")), rows(PAGE)),
      h("h3", {}, w("key.viewer")),
      h("dl", {}, rows(VIEWER)),
      h("h3", {}, w("key.others")),
      h("dl", {}, Object.entries(OTHERS).flatMap(([name, key]) => row(key, w(`key.${name}`)))),
      h("label.field.row", {}, h("span", {}, w("key.letters")), letters),
      h("div.actions", {}, h("button.primary", { type: "submit" }, w("key.close"))),
    ),
  );
  open(dialog);
  one(".primary", dialog).focus();
}
