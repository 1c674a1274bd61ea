/**
 * The photos that a person brought: seen, started from, and deleted one by one.
 */
import { get } from "./api.js";
import { fill, h, icon, one } from "./dom.js";
import { away, vanish } from "./pictures.js";
import { complain } from "./say.js";
import { forget } from "./settings.js";
import { leaving } from "./store.js";
import { w } from "./words.js";

/** @typedef {import("../types").Picture} Picture */

/** @type {Picture[]} */
let photos = [];
/** @type {string | null} */
let cursor = null;
/** @type {(picture: Picture) => void} */
let start = () => {};

/** @param {(picture: Picture) => void} started  called with the photo that a person starts from */
export function begin(started) {
  start = started;
  one("#photos-more").addEventListener("click", () => page());
}

/** Show the newest, each time the place is opened. */
export async function open() {
  cursor = null;
  await page(true);
}

/** @param {boolean} [fresh] */
async function page(fresh) {
  try {
    const answer = await get(`/images?limit=24${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    photos = fresh ? answer.items : [...photos, ...answer.items];
    cursor = answer.next_cursor;
    render();
  } catch (error) {
    complain(error);
  }
}

function render() {
  const shown = photos.filter((photo) => !leaving.has(photo.id));
  one("#photos-more").hidden = !cursor;
  fill(one("#photos"), shown.length ? [h("ul.photos", {}, shown.map(item))] : [h("p", {}, w("kept.none"))]);
}

/** @param {Picture} photo @param {number} place */
function item(photo, place) {
  const act = (/** @type {string} */ key, /** @type {string} */ symbol, /** @type {() => void} */ onclick) =>
    h(
      "button.tool",
      { onclick, title: w(key), "aria-label": `${w(key)} (${place + 1})`, data: { key: `${key}-${photo.id}` } },
      icon(symbol),
    );
  return h(
    "li",
    {},
    h("img", { src: photo.thumbnail_url, alt: `${w("alt.upload")} ${place + 1}`, width: 96, height: 96, loading: "lazy" }),
    h(
      "span.photo-acts",
      {},
      act("do.edit_photo", "draw", () => (location.hash = `#/me?look=${photo.id}.photo`)),
      act("do.start_photo", "from", () => start(photo)),
      act("do.delete_photo", "trash", () => remove(photo)),
    ),
  );
}

/** @param {Picture} photo */
function remove(photo) {
  leaving.add(photo.id);
  forget(photo.id);
  render();
  vanish({
    message: w("done.photo_deleted"),
    work: away([photo], `/images/${photo.id}`),
    restore() {
      leaving.delete(photo.id);
      render();
    },
  });
}
