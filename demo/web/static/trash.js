/**
 * What lies in the trash: given back, or deleted for good. Loaded where the service has one.
 */
import { call, get } from "./api.js";
import { fill, h, one } from "./dom.js";
import { studio } from "./pictures.js";
import { ask, complain, toast } from "./say.js";
import { leaving, share } from "./store.js";
import { number, w } from "./words.js";

/** @typedef {import("../types").Picture} Picture */

/** @type {Picture[]} */
let pictures = [];
/** @type {string | null} */
let cursor = null;

/** @param {boolean} [more] */
export async function open(more) {
  try {
    const answer = await get(`/trash?limit=48${more && cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    pictures = more ? [...pictures, ...answer.items] : answer.items;
    cursor = answer.next_cursor;
    render();
  } catch (error) {
    complain(error);
  }
}

function render() {
  const all = pictures.map((picture) => picture.id);
  fill(one("#trash"), [
    pictures.length ? h("ul.photos", {}, pictures.map(item)) : h("p", {}, w("trash.empty")),
    cursor && h("button.quiet.small", { onclick: () => open(true), data: { key: "more" } }, w("trash.more")),
    pictures.length > 0 &&
      h(
        "div.group",
        {},
        h("button.quiet.small", { onclick: () => restore(all), data: { key: "restore-all" } }, w("trash.restore_all")),
        h("button.danger.small", { onclick: () => remove(all), data: { key: "empty" } }, w("trash.delete_all")),
      ),
  ]);
}

/** @param {Picture} picture @param {number} place */
function item(picture, place) {
  const act = (/** @type {string} */ key, /** @type {() => void} */ onclick) =>
    h("button.link", { onclick, "aria-label": `${w(`trash.${key}`)} (${place + 1})`, data: { key: `${key}-${picture.id}` } }, w(`trash.${key}`));
  return h(
    "li",
    {},
    h("img", { src: picture.thumbnail_url, alt: w("trash.one", { n: place + 1 }), width: 96, height: 96, loading: "lazy" }),
    h("span.photo-acts", {}, act("restore", () => restore([picture.id])), act("delete", () => remove([picture.id]))),
  );
}

/** @param {string[]} images */
async function restore(images) {
  try {
    const { changed } = await call("POST", "/trash/restore", { body: { images } });
    images.forEach((id) => leaving.delete(id));
    for (const picture of pictures.filter((one) => images.includes(one.id))) {
      leaving.delete(picture.generation_id ?? "");
      if (picture.generation_id) share(picture.generation_id);
    }
    toast(w("done.restored", { n: number(changed) }));
    studio.redraw();
    await open();
  } catch (error) {
    complain(error);
  }
}

/** @param {string[]} images */
async function remove(images) {
  const sure = await ask({ title: w("trash.sure", { n: number(images.length) }), text: w("trash.sure_text"), yes: w("trash.delete"), danger: true });
  if (!sure) return;
  try {
    await call("POST", "/trash/delete", { body: { images } });
    toast(w("done.deleted", { n: number(images.length) }));
    await open();
  } catch (error) {
    complain(error);
  }
}
