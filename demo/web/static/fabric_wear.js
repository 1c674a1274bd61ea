/**
 * Try a pattern on a default item or a photo: sliders and a finger move it at once (fabric_preview.js), a brush mends what is
 * garment, and a job makes the picture that is kept.
 */
import { call, explain } from "./api.js";
import { fill, h, icon, settled } from "./dom.js";
import { clothOf, draw, edgesMeet, loaded, maskFile, paint, pixels, sourcesOf } from "./fabric_preview.js";
import { announce, complain } from "./say.js";
import { find, listen, put, share, unfinished } from "./store.js";
import { send } from "./upload.js";
import { facts, lang, w } from "./words.js";

/**
 * @typedef {import("../types").Picture} Picture
 * @typedef {import("./fabric_preview.js").Cloth} Cloth
 * @typedef {import("./fabric_preview.js").Target} Target
 */

const SIZES = [0, 1024, 2048]; // 0: the picture's own
const RADIUS = [4, 60, 2];
const FEWEST = 0.002; // of a picture's points that are garment; textile/checks.py

/**
 * @param {HTMLElement} place
 * @returns {{use: (pattern: Picture) => Promise<void>, on: (target: Target) => Promise<void>, tell: (known: import("../types").Fabric) => void}}
 */
export function wear(place) {
  /** @type {import("../types").Fabric | null} */
  let known = null;
  /** @type {Picture | null} */
  let pattern = null;
  /** @type {ImageBitmap | null} */
  let bitmap = null;
  /** @type {Target} */
  let target = { item: "shirt" };
  /** @type {Cloth | null} */
  let cloth = null;
  /** @type {Picture[]} photos and drawings that were brought here */
  let brought = [];
  let placement = { scale: 0.2, turn: 0, offset_x: 0, offset_y: 0, mirror: false };
  let [size, radius, hand] = [0, 18, "move"]; // hand: move, add, erase
  let mask = { id: "", changed: false }; // as it was uploaded; changed: painted since it came
  let going = "";
  /** @type {import("../types").Generation | null} */
  let result = null;
  /** @type {{what: string, next: string} | null} */
  let wrong = null;
  let waits = false;

  const canvas = h("canvas", { width: 512, height: 512, role: "img", "aria-label": w("fabric.preview"), data: { hand } });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const head = h("div.fabric-targets");
  const stage = h("div.fabric-stage", {}, canvas);
  const sliders = h("div.fabric-sliders");
  const brush = h("div.fabric-brush");
  const foot = h("div.fabric-foot");
  const card = h("section.card.fabric-wear", { "aria-labelledby": "fabric-wear" }, h("h2", { id: "fabric-wear" }, w("fabric.wear")), head, stage, sliders, brush, foot);
  place.append(card);

  listen((id, generation) => {
    if (!going || id !== going) return;
    if (generation && unfinished(generation)) return renderFoot();
    going = "";
    wrong = generation?.error ? explain(generation.error) : null;
    if (generation?.status === "succeeded") {
      result = generation;
      announce(w("fabric.done"));
    }
    renderFoot();
  });

  /** Draw with the next frame, once however often it is asked for. */
  function preview() {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => {
      waits = false;
      if (cloth) draw(pen, cloth, bitmap, placement);
    });
  }

  /** @param {Target} next */
  async function on(next) {
    target = next;
    if ("picture" in next && !brought.some((p) => p.id === next.picture.id)) brought = [next.picture, ...brought];
    [cloth, result, wrong, mask] = [null, null, null, { id: "", changed: false }];
    card.setAttribute("aria-busy", "true");
    renderHead();
    renderFoot();
    try {
      const found = await clothOf(next);
      if (target !== next) return;
      cloth = found;
      Object.assign(canvas, { width: found.width, height: found.height });
      if (!covered(found)) hand = "add";
      else if (hand === "add") hand = "move";
    } catch (error) {
      complain(error);
    }
    card.removeAttribute("aria-busy");
    renderBrush();
    renderFoot();
    preview();
  }

  /** @param {Picture} next */
  async function use(next) {
    pattern = next;
    result = null;
    try {
      const image = await loaded(next.kind === "upload" ? next.url : `${next.url}?metadata=none`);
      if (pattern !== next) return;
      bitmap = image;
      placement.mirror = !edgesMeet(pixels(image, Math.min(image.width, 256), Math.min(image.height, 256)));
    } catch (error) {
      complain(error);
    }
    if (!cloth) await on(target);
    renderSliders();
    renderFoot();
    preview();
  }

  async function make() {
    if (!pattern || !cloth || going) return;
    wrong = null;
    const { scale, turn, offset_x, offset_y, mirror } = placement;
    try {
      if (mask.changed && !mask.id) mask.id = (await send(await maskFile(cloth, ...own()))).id;
      const body = {
        kind: "apply",
        pattern_image: pattern.id,
        ...("item" in target ? { item: target.item } : { source_image: target.picture.id }),
        mask_image: mask.id || null,
        size: size || null,
        scale,
        turn,
        offset_x,
        offset_y,
        mirror,
      };
      const made = await call("POST", "/generations", { body });
      going = made.id;
      share(made.id);
      put(made);
      announce(w("fabric.rendering"));
    } catch (error) {
      wrong = explain(/** @type {any} */ (error));
    }
    renderFoot();
  }

  /** @returns {[number, number]} the size of the picture itself, which its mask has, too */
  const own = () => {
    const { width, height } = sourcesOf(target);
    return [width, height];
  };

  async function bring(/** @type {Event} */ event) {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const file = input.files?.[0];
    input.value = "";
    if (!file) return;
    try {
      await on({ picture: await send(file) });
    } catch (error) {
      complain(error);
    }
  }

  function renderHead() {
    const here = (/** @type {Target} */ t) =>
      "item" in t ? "item" in target && target.item === t.item : "picture" in target && target.picture.id === t.picture.id;
    const button = (/** @type {Target} */ t, /** @type {string} */ key, /** @type {string} */ label) =>
      h("button.target", { "aria-pressed": String(here(t)), title: label, "aria-label": label, data: { key }, onclick: () => on(t) }, h("img", { src: "item" in t ? sourcesOf(t).picture : t.picture.thumbnail_url, alt: "", width: 56, height: 56, loading: "lazy" }), h("span", {}, label));
    fill(head, [
      h("label.button.quiet.bring", {}, h("input.sr", { type: "file", accept: "image/png,image/jpeg,image/webp", onchange: bring, data: { key: "photo" } }), icon("camera"), w("fabric.photo")),
      ...brought.map((picture) => button({ picture }, picture.id, w(picture.kind === "upload" ? "fabric.my_photo" : "fabric.my_picture"))),
      ...(known?.items ?? []).map(({ id, label }) => button({ item: id }, id, label[lang])),
    ]);
  }

  function renderSliders() {
    const { scale, turn } = facts.limits.ranges.apply;
    /** @param {"scale" | "turn" | "offset_x" | "offset_y"} name @param {number[]} range @param {(value: number) => string} said */
    const slider = (name, [min, max, step], said) => {
      const output = h("output", { for: `fabric-${name}` }, said(placement[name]));
      const input = h("input", {
        type: "range",
        id: `fabric-${name}`,
        min,
        max,
        step,
        data: { key: name },
        oninput: () => {
          placement = { ...placement, [name]: Number(input.value) };
          output.textContent = said(placement[name]);
          preview();
        },
      });
      input.value = String(placement[name]); // once its limits are there
      return h("div.field.slide", {}, h("label", { for: `fabric-${name}` }, w(`fabric.${name}`)), output, input);
    };
    const percent = (/** @type {number} */ value) => `${Math.round(100 * value)}%`;
    fill(sliders, [
      slider("scale", scale.slider, percent),
      slider("turn", turn.slider, (value) => `${value}°`),
      slider("offset_x", [-1, 1, 0.01], percent),
      slider("offset_y", [-1, 1, 0.01], percent),
      h("label.bare", {}, h("input", { type: "checkbox", checked: placement.mirror, data: { key: "mirror" }, onchange: (/** @type {any} */ e) => ((placement.mirror = e.target.checked), preview()) }), w("fabric.mirror")),
    ]);
  }

  function renderBrush() {
    canvas.dataset.hand = hand;
    const found = cloth && covered(cloth);
    fill(brush, [
      !found && cloth && h("p.note", { data: { kind: "heed" } }, w(known?.finds_garments === false ? "fabric.paint" : "fabric.not_found")),
      h("div.segments", { role: "radiogroup", "aria-label": w("fabric.hand") }, ["move", "add", "erase"].map((name) =>
        h("label", {}, h("input", { type: "radio", name: "hand", value: name, checked: hand === name, data: { key: name }, onchange: () => ((hand = name), renderBrush()) }), h("span", {}, w(`fabric.hand_${name}`))))),
      hand !== "move" && h("label.field.slide", {}, h("span", {}, w("fabric.radius")), h("input", { type: "range", min: RADIUS[0], max: RADIUS[1], step: RADIUS[2], value: radius, data: { key: "radius" }, oninput: (/** @type {any} */ e) => (radius = Number(e.target.value)) })),
      mask.changed && h("button.quiet.small", { data: { key: "reset" }, onclick: forget }, icon("undo"), w("fabric.reset_mask")),
    ]);
  }

  /** The mask as it came. */
  function forget() {
    cloth?.mask.set(cloth.found);
    mask = { id: "", changed: false };
    renderBrush();
    renderFoot();
    preview();
  }

  function renderFoot() {
    const g = going ? find(going) : null;
    const picture = result?.images[0];
    const link = (/** @type {string} */ format) =>
      h("a.button.quiet.small", { href: `${picture?.url}?format=${format}&download=1`, download: "", data: { key: `result-${format}` } }, format === "jpeg" ? "JPG" : "PNG");
    const ready = pattern && cloth && covered(cloth) && !going;
    fill(foot, [
      h("div.group", {},
        h("button.primary", { data: { key: "apply" }, "aria-disabled": String(!ready), onclick: () => ready && make() }, icon("spark"), w("fabric.apply")),
        h("label.field.size", {}, h("span.sr", {}, w("fabric.size")), h("select", { data: { key: "size" }, onchange: (/** @type {any} */ e) => (size = Number(e.target.value)) }, SIZES.map((side) => h("option", { value: side, selected: side === size }, side ? `${side}px` : w("fabric.own_size")))))),
      !pattern && h("p.soft", {}, w("fabric.no_pattern")),
      going && h("p.soft", { role: "status" }, g?.position ? w("where.queued", { n: g.position }) : w("fabric.rendering")),
      wrong && h("p.wrong", { role: "alert" }, `${wrong.what} ${wrong.next}`),
      picture && h("figure.fabric-result", {},
        h("a", { href: `#/fabric?look=${result?.id}.0`, data: { key: "result" } }, h("img", { src: picture.url, alt: w("alt.one", { prompt: result?.prompt ?? "" }), width: picture.width, height: picture.height })),
        h("figcaption", {}, h("span.mark", {}, w("mark.generated")), h("div.downloads", { role: "group", "aria-label": w("do.download") }, h("span", {}, icon("down"), w("do.download")), link("png"), link("jpeg")))),
    ]);
  }

  const repaint = settled(() => (renderBrush(), renderFoot()), 200);

  function moving() {
    /** @type {[number, number] | null} */
    let last = null;
    const at = (/** @type {PointerEvent} */ e) => {
      const box = canvas.getBoundingClientRect();
      return /** @type {[number, number]} */ ([((e.clientX - box.left) * canvas.width) / box.width, ((e.clientY - box.top) * canvas.height) / box.height]);
    };
    const spot = (/** @type {[number, number]} */ [x, y]) => {
      if (!cloth) return;
      paint(cloth, x, y, radius, hand === "erase");
      mask = { id: "", changed: true };
    };
    canvas.addEventListener("pointerdown", (e) => {
      if (!cloth || e.button) return;
      canvas.setPointerCapture(e.pointerId);
      last = at(e);
      if (hand !== "move") (spot(last), preview());
    });
    canvas.addEventListener("pointermove", (e) => {
      if (!last || !cloth) return;
      const next = at(e);
      const [dx, dy] = [next[0] - last[0], next[1] - last[1]];
      if (hand === "move") shift(dx, dy);
      else {
        const steps = Math.ceil(Math.hypot(dx, dy) / (radius / 2));
        for (let i = 1; i <= steps; i += 1) spot([last[0] + (dx * i) / steps, last[1] + (dy * i) / steps]);
      }
      last = next;
      preview();
    });
    const stop = () => {
      if (!last) return;
      last = null;
      if (hand === "move") renderSliders();
      else repaint();
    };
    canvas.addEventListener("pointerup", stop);
    canvas.addEventListener("pointercancel", stop);
  }

  /** @param {number} dx @param {number} dy  pixels of the canvas, turned into tiles */
  function shift(dx, dy) {
    const turn = (placement.turn * Math.PI) / 180;
    const unit = placement.scale * Math.max(canvas.width, canvas.height);
    const within = (/** @type {number} */ value) => ((((value + 1) % 2) + 2) % 2) - 1; // from -1 to 1, over and over
    placement = {
      ...placement,
      offset_x: within(placement.offset_x + (Math.cos(turn) * dx + Math.sin(turn) * dy) / unit),
      offset_y: within(placement.offset_y + (Math.cos(turn) * dy - Math.sin(turn) * dx) / unit / (bitmap ? bitmap.height / bitmap.width : 1)),
    };
  }

  moving();
  renderSliders();
  renderBrush();
  renderFoot();
  return {
    use,
    on,
    tell(told) {
      known = told;
      renderHead();
      if (!cloth) on(target);
    },
  };
}

/** @param {Cloth} cloth @returns {boolean} whether enough of it is garment */
function covered({ mask }) {
  let n = 0;
  for (let i = 0; i < mask.length; i += 1) n += Number(mask[i] > 127);
  return n >= FEWEST * mask.length;
}
