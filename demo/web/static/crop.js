/**
 * Cut a square out of a photo by hand: dragged, moved with the arrow keys, made larger with a slider. The studio draws
 * squares, and would otherwise take the middle.
 */
import { h, one } from "./dom.js";
import { complain, open } from "./say.js";
import { send } from "./upload.js";
import { w } from "./words.js";

/** @typedef {import("../types").Picture} Picture */

const SIDE = 1024; // pixels of what is cut out at most: as much as the server keeps
const MOST = 4;
const STEP = 0.04; // of the frame, by one arrow key

/**
 * Ask which part of a picture to start from, and bring that part.
 * @param {Picture} picture
 * @returns {Promise<Picture | null>} the part as a picture of its own; null when they thought better of it
 */
export async function crop(picture) {
  const image = h("img", { src: picture.url, alt: "", draggable: false });
  const view = { zoom: 1, x: 0.5, y: 0.5 }; // x, y: the middle of the part, 0-1 across the picture
  if (!(await asked(picture, image, view))) return null;
  try {
    await image.decode();
    return await send(await cut(image, part(picture, view)));
  } catch (error) {
    complain(error);
    return null;
  }
}

/** @param {Picture} picture @param {HTMLImageElement} image @param {{zoom: number, x: number, y: number}} view */
function asked(picture, image, view) {
  const frame = h("div.crop", { tabIndex: 0, role: "group", "aria-label": w("crop.frame") }, image);
  const place = () => {
    const { left, top, side } = part(picture, view);
    const vars = { "--w": picture.width / side, "--x": -left / side, "--y": -top / side };
    for (const [name, value] of Object.entries(vars)) frame.style.setProperty(name, `${value * 100}%`);
  };
  const move = (/** @type {number} */ dx, /** @type {number} */ dy) => {
    const { side } = part(picture, view);
    view.x += (dx * side) / picture.width;
    view.y += (dy * side) / picture.height;
    place();
  };
  dragging(frame, move);
  const zoom = h("input", {
    type: "range",
    min: 1,
    max: MOST,
    step: 0.05,
    value: 1,
    oninput: () => ((view.zoom = Number(zoom.value)), place()),
  });
  place();
  const dialog = /** @type {HTMLDialogElement} */ (one("#ask"));
  const button = (/** @type {string} */ kind, /** @type {string} */ value, /** @type {string} */ words) =>
    h(`button.${kind}`, { value, type: "submit" }, words);
  dialog.replaceChildren(
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "ask-title" }, w("crop.title")),
      frame,
      h("label.field", {}, h("span", {}, w("crop.zoom")), zoom),
      h("div.actions", {}, button("quiet", "", w("say.no")), button("primary", "yes", w("crop.use"))),
    ),
  );
  dialog.returnValue = "";
  open(dialog);
  frame.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** @param {HTMLElement} frame @param {(dx: number, dy: number) => void} move  in parts of the frame */
function dragging(frame, move) {
  /** @type {PointerEvent | null} */
  let last = null;
  frame.addEventListener("pointerdown", (event) => {
    last = event;
    frame.setPointerCapture(event.pointerId);
  });
  frame.addEventListener("pointermove", (event) => {
    if (!last) return;
    move((last.clientX - event.clientX) / frame.clientWidth, (last.clientY - event.clientY) / frame.clientHeight);
    last = event;
  });
  for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => (last = null));
  frame.addEventListener("keydown", (event) => {
    /** @type {Record<string, [number, number]>} */
    const ways = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (!ways[event.key]) return;
    event.preventDefault();
    move(...ways[event.key]);
  });
}

/**
 * The square that is looked at, kept inside the picture.
 * @param {{width: number, height: number}} picture
 * @param {{zoom: number, x: number, y: number}} view  its middle is moved back to where it can be
 * @returns {{left: number, top: number, side: number}} in pixels of the picture
 */
function part({ width, height }, view) {
  const side = Math.min(width, height) / view.zoom;
  const within = (/** @type {number} */ middle, /** @type {number} */ length) =>
    Math.min(1 - side / 2 / length, Math.max(side / 2 / length, middle));
  view.x = within(view.x, width);
  view.y = within(view.y, height);
  return { left: view.x * width - side / 2, top: view.y * height - side / 2, side };
}

/** @param {HTMLImageElement} image @param {{left: number, top: number, side: number}} square @returns {Promise<Blob>} */
async function cut(image, { left, top, side }) {
  const size = Math.round(Math.min(SIDE, side));
  const canvas = h("canvas", { width: size, height: size });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.drawImage(image, left, top, side, side, 0, 0, size, size);
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(/** @type {Blob} */ (blob)), "image/png"));
}
