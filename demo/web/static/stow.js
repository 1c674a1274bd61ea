/**
 * Put pictures into a collection of the closet: one that is there, or a new one.
 */
import { call, get } from "./api.js";
import { h, icon, one } from "./dom.js";
import { complain, open, toast } from "./say.js";
import { number, w } from "./words.js";

/**
 * @param {string[]} ids
 * @param {string} [source]  a collection that they are moved out of
 * @returns {Promise<boolean>} whether they lie there now
 */
export async function stow(ids, source) {
  try {
    const { collections } = await get("/closet");
    const others = collections.filter((c) => c.id !== source);
    const chosen = await asked(others, ids.length, Boolean(source));
    if (!chosen) return false;
    const target = chosen.id ? { id: chosen.id, name: chosen.name } : await call("POST", "/closet", { body: { name: chosen.name } });
    await call("POST", `/closet/${target.id}/pictures`, { body: { images: ids, source: source ?? null } });
    const said = { name: target.name };
    toast(source ? w("done.moved", said) : w("done.stowed", said), {
      action: w("closet.see"),
      onaction: () => (location.hash = `#/closet/${target.id}`),
    });
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

/**
 * @param {import("../types").Collection[]} collections
 * @param {number} n
 * @param {boolean} moving
 * @returns {Promise<{id: string, name: string} | null>} an empty id: a new one
 */
function asked(collections, n, moving) {
  const dialog = /** @type {HTMLDialogElement} */ (one("#ask"));
  /** @type {{id: string, name: string} | null} */
  let chosen = null;
  const choose = (/** @type {{id: string, name: string}} */ one) => ((chosen = one), dialog.close());
  const name = h("input", { name: "name", maxLength: 60, autocomplete: "off", placeholder: w("closet.name_example") });
  const make = (/** @type {Event} */ event) => {
    event.preventDefault();
    const text = name.value.normalize("NFC").trim();
    if (text) choose({ id: "", name: text });
    else name.focus();
  };
  dialog.replaceChildren(
    h(
      "form",
      { method: "dialog", onsubmit: make },
      h("h2", { id: "ask-title" }, moving ? w("closet.move_title", { n: number(n) }) : w("closet.put_title", { n: number(n) })),
      collections.length > 0 &&
        h(
          "ul.choose",
          {},
          collections.map((c) =>
            h(
              "li",
              {},
              h(
                "button.relative",
                { onclick: () => choose(c), data: { key: c.id } },
                c.cover ? h("img", { src: c.cover.thumbnail_url, alt: "", width: 44, height: 44 }) : h("span.blank", {}, icon("closet")),
                h("span", {}, c.name, h("small", {}, w("closet.count", { n: number(c.count) }))),
              ),
            ),
          ),
        ),
      h("label.field", {}, h("span", {}, w("closet.new_name")), name),
      h(
        "div.actions",
        {},
        h("button.quiet", { onclick: () => dialog.close() }, w("say.no")),
        h("button.primary", { type: "submit" }, w("closet.make")),
      ),
    ),
  );
  open(dialog);
  if (!collections.length) name.focus();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(chosen), { once: true }));
}
