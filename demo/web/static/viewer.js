/**
 * Look closely: one picture large, its neighbours by keyboard and swipe, the first stage beside the second, and everything
 * that can be done with it. The address says what is looked at (#/mine?look=<generation>.<i>), so Back closes it.
 */
import { Problem, get } from "./api.js";
import { fill, h, icon, one } from "./dom.js";
import { panelOf } from "./panel.js";
import { alt, removeOne } from "./pictures.js";
import { complain, open as openDialog, toast } from "./say.js";
import { find, staying } from "./store.js";
import { w } from "./words.js";

/**
 * @typedef {import("../types").Generation} Generation
 * @typedef {{id: string, n: number, picture?: string, photo?: boolean}} Stop  a generation in the order of the view below, with
 *   how many pictures it has; or one picture of it; or a photo
 */

const dialog = /** @type {HTMLDialogElement} */ (one("#viewer"));
/** @type {Omit<import("./panel.js").View, "g"> & {g: Generation | null}} */
const state = {
  g: null,
  i: 0,
  comparing: "",
  parent: null,
  family: "", // of which generation `parent` is known
  bare: false,
  double: false,
  open: false,
  strength: 0.9, // of what is more like this one: with less the four are nearly the same
  render,
  without(picture) {
    const g = /** @type {Generation} */ (state.g);
    if (state.i === g.images.length - 1) look(g.id, state.i - 1);
    removeOne(g, picture);
  },
  looking: (id) => dialog.open && state.g?.images[state.i]?.id === id,
  async goTo(picture, parent) {
    try {
      const { generation_id: id } = picture;
      const g = id ? find(id) || (await get(`/generations/${id}`)) : null;
      if (parent) Object.assign(state, { parent, family: id, comparing: "parent" });
      look(id || picture.id, g ? Math.max(0, g.images.findIndex((one) => one.id === picture.id)) : "photo");
    } catch (error) {
      complain(error);
    }
  },
  leave(work, draw = true) {
    opener = null;
    dialog.close();
    if (draw) location.hash = "#/";
    work();
  },
};
/** @type {() => Stop[]} */
let order = () => [];
/** @type {Element | null} */
let opener = null;

/** @param {() => Stop[]} ordered  what Next and Previous walk along beyond one generation's pictures */
export function begin(ordered) {
  order = ordered;
  dialog.addEventListener("close", () => {
    Object.assign(state, { g: null, comparing: "", parent: null });
    look("", 0);
  });
  dialog.addEventListener("keydown", onkey);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  swiping();
}

/**
 * Open at one picture, or close when there is none to look at.
 * @param {{id: string, i: number, photo?: boolean, picture?: string} | null} at  photo: the id is that of an upload; picture: the
 *   id of the one to look at, in the place of i
 */
export async function visit(at) {
  if (!at) {
    if (dialog.open) dialog.close();
    if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
    opener = null;
    return;
  }
  try {
    const here = state.g?.id === at.id ? state.g : null;
    state.g = find(at.id) || here || (at.photo ? await photo(at.id) : staying(await get(`/generations/${at.id}`)));
  } catch (error) {
    if (error instanceof Problem && error.status === 404) toast(w("problem.not_found"), { kind: "wrong" });
    else complain(error);
    return look("", 0);
  }
  if (!state.g?.images.length) return look("", 0);
  const named = at.picture ? state.g.images.findIndex((one) => one.id === at.picture) : at.i;
  state.i = Math.min(Math.max(0, named), state.g.images.length - 1);
  if (state.family !== at.id) state.parent = null;
  const beside = state.comparing === "parent" ? state.parent : state.g.images[state.i].base_url;
  if (!beside) state.comparing = "";
  if (!dialog.open) {
    opener = document.activeElement;
    openDialog(dialog);
  }
  render();
}

/** @param {string} id @returns {Promise<any>} an upload, as if it had been drawn alone */
const photo = async (id) => ({ id, kind: "photo", prompt: "", mine: true, images: [await get(`/images/${id}/info`)] });

/** Show it again after a picture of it went or came back. */
export function redraw() {
  if (!dialog.open || !state.g) return;
  const { id, kind } = state.g;
  state.g = null;
  visit({ id, i: state.i, photo: kind === "photo" });
}

/** @param {string} id @param {number | string} i  writes the address; an empty id closes */
function look(id, i) {
  const place = location.hash.split("?")[0] || "#/";
  const hash = id ? `${place}?look=${id}.${i}` : place;
  if (location.hash === hash || (!id && !location.hash.includes("look="))) return;
  history.replaceState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** @param {-1 | 1} way */
function step(way) {
  const next = neighbour(way);
  if (next) look(...next);
}

/** @param {-1 | 1} way @returns {[string, number | string] | null} what the address says of the next one */
function neighbour(way) {
  const { g, i } = state;
  if (!g) return null;
  const stops = order();
  const alone = stops.findIndex((s) => s.picture === g.images[i]?.id);
  if (alone < 0 && g.images[i + way]) return [g.id, i + way];
  const at = alone < 0 ? stops.findIndex((s) => s.id === g.id) : alone;
  const next = at < 0 ? undefined : stops[at + way];
  if (!next) return null;
  return [next.id, next.photo ? "photo" : (next.picture ?? (way > 0 ? 0 : next.n - 1))];
}

/** @param {KeyboardEvent} event */
function onkey(event) {
  const { target } = event;
  if (event.defaultPrevented || target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) return;
  if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "ArrowRight") step(1);
  else return;
  event.preventDefault();
}

function swiping() {
  let [x, y, live] = [0, 0, false];
  dialog.addEventListener("pointerdown", (e) => {
    const onPicture = /** @type {Element} */ (e.target).closest(".stage") && !state.comparing;
    [x, y, live] = [e.clientX, e.clientY, e.pointerType !== "mouse" && Boolean(onPicture)];
  });
  dialog.addEventListener("pointercancel", () => (live = false));
  dialog.addEventListener("pointerup", (e) => {
    const [dx, dy] = [e.clientX - x, e.clientY - y];
    if (live && Math.abs(dx) > 48 && Math.abs(dx) > 2 * Math.abs(dy)) step(dx < 0 ? 1 : -1);
    live = false;
  });
}

function render() {
  const { g } = state;
  if (!g) return; // closed before its scripts came
  const room = dialog.querySelector(".room") || dialog.insertBefore(h("div.room"), dialog.firstChild);
  fill(room, [h("div.stage", {}, stageOf(g)), h("div.panel", {}, panelOf(/** @type {any} */ (state)))]);
  if (!dialog.contains(document.activeElement) || document.activeElement === dialog)
    one("[data-key=close]", room).focus();
}

/** @param {Generation} g */
function stageOf(g) {
  const picture = g.images[state.i];
  const before =
    state.comparing === "parent" && state.parent
      ? { url: state.parent.url, words: "parent" }
      : state.comparing && { url: picture.base_url, words: "base" };
  const arrow = (/** @type {string} */ key, /** @type {-1 | 1} */ way) =>
    h(
      `button.arrow.${key}`,
      { disabled: !neighbour(way), "aria-label": w(`look.${key}`), data: { key }, onclick: () => step(way) },
      icon(key),
    );
  return [
    h(
      "figure.picture",
      { className: `picture ${before ? "comparing" : ""}`, vars: { "--cut": "50%", "--natural": `${picture.width}px` } },
      h("img", {
        src: picture.url,
        alt: alt(picture, g.prompt, state.i, g.images.length),
        width: picture.width,
        height: picture.height,
        draggable: false,
      }),
      before && [
        h("img.before", { src: before.url, alt: w(`beside.${before.words}_alt`), draggable: false }),
        h("span.cut", { "aria-hidden": "true" }),
        h("span.side.left", { "aria-hidden": "true" }, w(`beside.${before.words}`)),
        h("span.side.right", { "aria-hidden": "true" }, w(`beside.${before.words}_after`)),
        h("input", {
          type: "range",
          min: 0,
          max: 100,
          value: 50,
          "aria-label": w(`beside.${before.words}_slider`),
          data: { key: "slider" },
          oninput: (/** @type {any} */ e) => e.target.parentElement.style.setProperty("--cut", `${e.target.value}%`),
        }),
      ],
      picture.kind !== "upload" && h("figcaption.mark", {}, w("mark.generated")),
    ),
    arrow("prev", -1),
    arrow("next", 1),
    h(
      "button.tool.close",
      { "aria-label": w("look.close"), data: { key: "close" }, onclick: () => dialog.close() },
      icon("close"),
    ),
    g.images.length > 1 && h("p.place", {}, `${state.i + 1} / ${g.images.length}`),
  ];
}
